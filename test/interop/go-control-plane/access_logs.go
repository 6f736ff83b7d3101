package main

import (
	"sync"

	data "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslog "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
)

// entriesMax bounds what is kept of each log: a busy one must not push out the others.
const entriesMax = 100

// entry is what tests want to know of one logged request or connection.
type entry struct {
	Log     string `json:"log"`  // log_name of the logger
	Node    string `json:"node"` // who sent it
	Path    string `json:"path,omitempty"`
	Code    uint32 `json:"code,omitempty"`
	Cluster string `json:"cluster"`
}

// received counts all that came; its entries are the first ones of each log.
type received struct {
	Streams int     `json:"streams"`
	HTTP    int     `json:"http"`
	TCP     int     `json:"tcp"`
	Entries []entry `json:"entries"`
}

// accessLogs is a gRPC access log service. A stream says who it is in its first message only.
type accessLogs struct {
	accesslog.UnimplementedAccessLogServiceServer
	mu   sync.Mutex
	now  received
	kept map[string]int // entries, by log
}

func (a *accessLogs) StreamAccessLogs(stream accesslog.AccessLogService_StreamAccessLogsServer) error {
	a.mu.Lock()
	a.now.Streams++
	a.mu.Unlock()
	var node, log string
	for {
		message, err := stream.Recv()
		if err != nil {
			// Also io.EOF: there is nothing to answer.
			return nil
		}
		if identifier := message.GetIdentifier(); identifier != nil {
			node, log = identifier.GetNode().GetId(), identifier.GetLogName()
		}
		http, tcp := message.GetHttpLogs().GetLogEntry(), message.GetTcpLogs().GetLogEntry()
		entries := []entry{}
		for _, one := range http {
			entries = append(entries, httpEntry(node, log, one))
		}
		for _, one := range tcp {
			cluster := one.GetCommonProperties().GetUpstreamCluster()
			entries = append(entries, entry{Log: log, Node: node, Cluster: cluster})
		}
		a.took(len(http), len(tcp), entries)
	}
}

func httpEntry(node, log string, one *data.HTTPAccessLogEntry) entry {
	return entry{
		Log:     log,
		Node:    node,
		Path:    one.GetRequest().GetPath(),
		Code:    one.GetResponse().GetResponseCode().GetValue(),
		Cluster: one.GetCommonProperties().GetUpstreamCluster(),
	}
}

func (a *accessLogs) took(http, tcp int, entries []entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now.HTTP += http
	a.now.TCP += tcp
	for _, one := range entries {
		if a.kept[one.Log] < entriesMax {
			a.kept[one.Log]++
			a.now.Entries = append(a.now.Entries, one)
		}
	}
}

// view calls read with the lock held: read must not keep what it is given.
func (a *accessLogs) view(read func(received)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	read(a.now)
}
