// A management server on go-control-plane, the library that most control planes for Envoy are built
// on. Tests and the demo drive it over HTTP, so what they prove holds for that library's own server,
// cache and protobuf output, none of which is ours.
//
// It listens on two loopback ports of the kernel's choosing, prints them as one line of JSON
// ({"xds":"127.0.0.1:N","control":"127.0.0.1:M"}) and ends when standard input ends, so that it
// never outlives the test that started it, or on POST /shutdown.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	server "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "go-control-plane:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()

	xds, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}

	snapshots := newSnapshots()
	journal := newJournal()
	ads := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(ads, server.NewServer(ctx, snapshots.cache, journal.callbacks()))
	http1 := &http.Server{Handler: controlHandler(snapshots, journal, stop), ReadHeaderTimeout: 5 * time.Second}

	failed := make(chan error, 2)
	go func() { failed <- ads.Serve(xds) }()
	go func() { failed <- http1.Serve(control) }()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		stop()
	}()
	addresses := map[string]string{"xds": xds.Addr().String(), "control": control.Addr().String()}
	if err := json.NewEncoder(out).Encode(addresses); err != nil {
		return err
	}

	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	// Answers /shutdown first; streams of proxies would never end by themselves.
	closing, done := context.WithTimeout(context.Background(), time.Second)
	defer done()
	err = errors.Join(err, http1.Shutdown(closing))
	ads.Stop()
	return err
}
