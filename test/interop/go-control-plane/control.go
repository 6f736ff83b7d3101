package main

import (
	"encoding/json"
	"net/http"

	server "github.com/envoyproxy/go-control-plane/pkg/server/v3"
)

// bodyBytesMax bounds one push: 10,000 listeners as JSON are about 40 MB.
const bodyBytesMax = 128 << 20

// controlHandler is the interface for tests:
//
//	POST /snapshot?node=N   {"listeners": [...], "clusters": [...], "routes": [...], "endpoints": [...]}
//	                        resources as proto3 JSON; a type that is left out stays as it is
//	POST /remove?node=N&kind=listeners&name=L
//	POST /generate?node=N   an order of many listeners (generate.go); answers when they were pushed
//	GET  /status            what each node has answered, by type
//	GET  /access-logs       what came by the gRPC access log service
//	POST /shutdown
//	POST /v3/discovery:...  the polled variant of the protocol
//
// Both pushes answer the version of every type, {"listeners": "3", ...}; a bad one answers 400 and text.
func controlHandler(snapshots *snapshots, journal *journal, logs *accessLogs, stop func()) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /snapshot", func(w http.ResponseWriter, r *http.Request) {
		var body map[string][]json.RawMessage
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyBytesMax)).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		versions, err := snapshots.push(r.URL.Query().Get("node"), body)
		reply(w, versions, err)
	})
	mux.HandleFunc("POST /remove", func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		versions, err := snapshots.remove(query.Get("node"), query.Get("kind"), query.Get("name"))
		reply(w, versions, err)
	})
	mux.HandleFunc("POST /generate", generateHandler(snapshots))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		journal.view(func(now status) { reply(w, now, nil) })
	})
	mux.HandleFunc("GET /access-logs", func(w http.ResponseWriter, _ *http.Request) {
		logs.view(func(now received) { reply(w, now, nil) })
	})
	mux.HandleFunc("POST /shutdown", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		stop()
	})
	return mux
}

// restHandler serves the polled variant of the protocol on the control port.
func restHandler(gateway *server.HTTPGateway) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, code, err := gateway.ServeHTTP(r)
		if err != nil {
			http.Error(w, err.Error(), code)
			return
		}
		w.Header().Set("content-type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write(body)
	}
}

func reply(w http.ResponseWriter, value any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("content-type", "application/json")
	// A caller that has gone away needs no answer.
	_ = json.NewEncoder(w).Encode(value)
}
