package main

import (
	"context"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	server "github.com/envoyproxy/go-control-plane/pkg/server/v3"
)

// answer is what a proxy has said about one resource type.
type answer struct {
	Sent  string `json:"sent"`  // version of the newest response
	Acked string `json:"acked"` // newest version accepted
	// The newest refusal, kept after later ACKs: compare Version with Sent to know whether it stands.
	Nacked *refusal `json:"nacked,omitempty"`
	Acks   int      `json:"acks"`
	Nacks  int      `json:"nacks"`
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
		StreamResponseFunc: j.responded,
		StreamRequestFunc:  j.requested,
	}
}

func (j *journal) responded(_ context.Context, stream int64, to *discovery.DiscoveryRequest, response *discovery.DiscoveryResponse) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.streams[stream][response.GetTypeUrl()] = sent{response.GetNonce(), response.GetVersionInfo()}
	if answered := j.of(to.GetNode().GetId(), response.GetTypeUrl()); answered != nil {
		answered.Sent = response.GetVersionInfo()
	}
}

func (j *journal) requested(stream int64, request *discovery.DiscoveryRequest) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	last := j.streams[stream][request.GetTypeUrl()]
	answered := j.of(request.GetNode().GetId(), request.GetTypeUrl())
	// A first request has no nonce, and one with an older nonce says nothing about the newest response.
	if answered == nil || request.GetResponseNonce() == "" || request.GetResponseNonce() != last.nonce {
		return nil
	}
	if detail := request.GetErrorDetail(); detail != nil {
		answered.Nacks++
		answered.Nacked = &refusal{last.version, detail.GetCode(), detail.GetMessage()}
		return nil
	}
	answered.Acks++
	answered.Acked = request.GetVersionInfo()
	return nil
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
