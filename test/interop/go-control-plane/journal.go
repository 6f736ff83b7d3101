package main

import (
	"context"
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
// nonce alone, so the newest (nonce, version) of each stream and type is remembered.
type journal struct {
	mu      sync.Mutex
	streams map[int64]map[string]sent
	nodes   map[string]map[string]*answer // node id, kind name
}

type sent struct{ nonce, version string }

func newJournal() *journal {
	return &journal{streams: map[int64]map[string]sent{}, nodes: map[string]map[string]*answer{}}
}

func (j *journal) callbacks() server.Callbacks {
	return server.CallbackFuncs{
		StreamOpenFunc: func(_ context.Context, stream int64, _ string) error {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.streams[stream] = map[string]sent{}
			return nil
		},
		StreamClosedFunc: func(stream int64, _ *core.Node) {
			j.mu.Lock()
			defer j.mu.Unlock()
			delete(j.streams, stream)
		},
		StreamResponseFunc: func(_ context.Context, stream int64, to *discovery.DiscoveryRequest, response *discovery.DiscoveryResponse) {
			j.responded(stream, to.GetNode().GetId(), response.GetTypeUrl(), sent{response.GetNonce(), response.GetVersionInfo()})
		},
		StreamRequestFunc: func(stream int64, request *discovery.DiscoveryRequest) error {
			j.requested(stream, request.GetNode().GetId(), request)
			return nil
		},
		DeltaStreamOpenFunc: func(_ context.Context, stream int64, _ string) error {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.streams[deltaStreams+stream] = map[string]sent{}
			return nil
		},
		DeltaStreamClosedFunc: func(stream int64, _ *core.Node) {
			j.mu.Lock()
			defer j.mu.Unlock()
			delete(j.streams, deltaStreams+stream)
		},
		StreamDeltaResponseFunc: func(stream int64, to *discovery.DeltaDiscoveryRequest, response *discovery.DeltaDiscoveryResponse) {
			j.responded(deltaStreams+stream, to.GetNode().GetId(), response.GetTypeUrl(), sent{response.GetNonce(), response.GetSystemVersionInfo()})
		},
		StreamDeltaRequestFunc: func(stream int64, request *discovery.DeltaDiscoveryRequest) error {
			j.requested(deltaStreams+stream, request.GetNode().GetId(), request)
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

func (j *journal) responded(stream int64, node, url string, newest sent) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.streams[stream][url] = newest
	if answered := j.of(node, url); answered != nil {
		answered.Sent = newest.version
	}
}

func (j *journal) requested(stream int64, node string, request answering) {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.streams[stream][request.GetTypeUrl()]
	answered := j.of(node, request.GetTypeUrl())
	// A first request has no nonce, and one with an older nonce says nothing about the newest response.
	if answered == nil || request.GetResponseNonce() == "" || request.GetResponseNonce() != last.nonce {
		return
	}
	answered.AnsweredAt = time.Now().UnixMicro()
	if detail := request.GetErrorDetail(); detail != nil {
		answered.Nacks++
		answered.Nacked = &refusal{last.version, detail.GetCode(), detail.GetMessage()}
		return
	}
	answered.Acks++
	answered.Acked = last.version
}

// of gives nil for types that are not ours (a proxy may ask for secrets: it gets none).
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
