package main

import (
	"context"
	"slices"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	server "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
)

// answer is what a proxy has said about one resource type.
type answer struct {
	Sent  string `json:"sent"`  // version of the newest response
	Acked string `json:"acked"` // newest version accepted
	// The newest refusal, kept after later ACKs: compare Version with Sent to know whether it stands.
	Nacked *refusal `json:"nacked,omitempty"`
	Acks   int      `json:"acks"`
	Nacks  int      `json:"nacks"`
	// Responses on streams that are open, with no answer yet.
	Waiting int `json:"waiting"`
	// When the newest of either came, in microseconds since 1970.
	AnsweredAt int64 `json:"answeredAt"`
}

type refusal struct {
	Version string `json:"version"`
	Code    int32  `json:"code"`
	Error   string `json:"error"`
}

// journal writes down what proxies answer. xDS: "a NACK is a request with error_detail set, whose
// version_info is that of the last accepted response"; which response was refused is known by the
// nonce alone, so every (nonce, version) without an answer is remembered, by stream and type.
type journal struct {
	mu      sync.Mutex
	streams map[int64]map[string][]sent
	nodes   map[string]map[string]*answer // node id, kind name
}

// waitingMax bounds what is remembered of a proxy that never answers.
const waitingMax = 1000

type sent struct{ node, nonce, version string }

func newJournal() *journal {
	return &journal{streams: map[int64]map[string][]sent{}, nodes: map[string]map[string]*answer{}}
}

func (j *journal) callbacks() server.Callbacks {
	return server.CallbackFuncs{
		StreamOpenFunc: func(_ context.Context, stream int64, _ string) error {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.streams[stream] = map[string][]sent{}
			return nil
		},
		StreamClosedFunc: func(stream int64, _ *core.Node) {
			j.closed(stream)
		},
		StreamResponseFunc: func(_ context.Context, stream int64, to *discovery.DiscoveryRequest, response *discovery.DiscoveryResponse) {
			j.responded(stream, response.GetTypeUrl(), sent{to.GetNode().GetId(), response.GetNonce(), response.GetVersionInfo()})
		},
		StreamRequestFunc: func(stream int64, request *discovery.DiscoveryRequest) error {
			j.requested(stream, request)
			return nil
		},
		FetchRequestFunc: func(_ context.Context, request *discovery.DiscoveryRequest) error {
			j.polled(request.GetNode().GetId(), request.GetTypeUrl(), request.GetVersionInfo())
			return nil
		},
		FetchResponseFunc: func(to *discovery.DiscoveryRequest, response *discovery.DiscoveryResponse) {
			j.fetched(to.GetNode().GetId(), response.GetTypeUrl(), response.GetVersionInfo())
		},
		DeltaStreamOpenFunc: func(_ context.Context, stream int64, _ string) error {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.streams[deltaStreams+stream] = map[string][]sent{}
			return nil
		},
		DeltaStreamClosedFunc: func(stream int64, _ *core.Node) {
			j.closed(deltaStreams + stream)
		},
		StreamDeltaResponseFunc: func(stream int64, to *discovery.DeltaDiscoveryRequest, response *discovery.DeltaDiscoveryResponse) {
			j.responded(deltaStreams+stream, response.GetTypeUrl(), sent{to.GetNode().GetId(), response.GetNonce(), response.GetSystemVersionInfo()})
		},
		StreamDeltaRequestFunc: func(stream int64, request *discovery.DeltaDiscoveryRequest) error {
			j.requested(deltaStreams+stream, request)
			return nil
		},
	}
}

// deltaStreams keeps the two variants apart: the library counts the streams of each from one.
const deltaStreams = 1 << 40

// answering is what the requests of both variants have in common.
type answering interface {
	GetTypeUrl() string
	GetResponseNonce() string
	GetErrorDetail() *rpcstatus.Status
}

func (j *journal) responded(stream int64, url string, newest sent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	answered := j.of(newest.node, url)
	if answered == nil {
		return
	}
	answered.Sent = newest.version
	answered.Waiting++
	waiting := append(j.streams[stream][url], newest)
	if len(waiting) > waitingMax {
		waiting = waiting[1:]
		answered.Waiting--
	}
	j.streams[stream][url] = waiting
}

// closed forgets what nobody can answer any more.
func (j *journal) closed(stream int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for url, waiting := range j.streams[stream] {
		for _, one := range waiting {
			j.of(one.node, url).Waiting--
		}
	}
	delete(j.streams, stream)
}

// polled is the newest a proxy knows of polling: what it has accepted is what it says that it holds. It says
// nothing of what it refuses.
func (j *journal) polled(node, url, version string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if answered := j.of(node, url); answered != nil && version != "" {
		answered.Acked = version
	}
}

func (j *journal) fetched(node, url, version string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if answered := j.of(node, url); answered != nil {
		answered.Sent = version
	}
}

func (j *journal) requested(stream int64, request answering) {
	j.mu.Lock()
	defer j.mu.Unlock()
	url := request.GetTypeUrl()
	waiting := j.streams[stream][url]
	i := slices.IndexFunc(waiting, func(one sent) bool { return one.nonce == request.GetResponseNonce() })
	// A first request has no nonce; one whose nonce was answered before changes the subscription.
	if i < 0 {
		return
	}
	it := waiting[i]
	// A proxy may name itself in the first request of a stream alone.
	answered := j.of(it.node, url)
	if answered == nil {
		return
	}
	j.streams[stream][url] = slices.Delete(waiting, i, i+1)
	answered.Waiting--
	answered.AnsweredAt = time.Now().UnixMicro()
	if detail := request.GetErrorDetail(); detail != nil {
		answered.Nacks++
		answered.Nacked = &refusal{it.version, detail.GetCode(), detail.GetMessage()}
		return
	}
	answered.Acks++
	answered.Acked = it.version
}

// of gives nil for types that are not ours.
func (j *journal) of(node, url string) *answer {
	k, known := kindByURL(url)
	if !known {
		return nil
	}
	if j.nodes[node] == nil {
		j.nodes[node] = map[string]*answer{}
	}
	if j.nodes[node][k.name] == nil {
		j.nodes[node][k.name] = &answer{}
	}
	return j.nodes[node][k.name]
}

type status struct {
	Streams int                           `json:"streams"`
	Nodes   map[string]map[string]*answer `json:"nodes"`
}

// view calls read with the lock held: read must not keep what it is given.
func (j *journal) view(read func(status)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	read(status{Streams: len(j.streams), Nodes: j.nodes})
}
