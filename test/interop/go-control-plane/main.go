// A management server on go-control-plane, the library that most control planes for Envoy are built
// on. Tests and the demo drive it over HTTP, so what they prove holds for that library's own server,
// cache and protobuf output, none of which is ours.
//
// By default it listens on two loopback ports of the kernel's choosing, prints them as one line of
// JSON ({"xds":"127.0.0.1:N","control":"127.0.0.1:M"}) and ends when standard input ends, so that it
// never outlives the test that started it. As a service (deploy/compose.yaml) it has fixed addresses,
// a first snapshot from a file, and ends on a signal. POST /shutdown ends it either way.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	accesslogservice "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	extensionservice "github.com/envoyproxy/go-control-plane/envoy/service/extension/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	runtimeservice "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	secretservice "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/config"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	server "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
)

type options struct {
	xds, control   string
	node, snapshot string
	linear         string
	isSplit        bool
	isService      bool
}

func main() {
	var o options
	flag.StringVar(&o.xds, "xds", "127.0.0.1:0", "where to serve ADS")
	flag.StringVar(&o.control, "control", "127.0.0.1:0", "where to be driven over HTTP")
	flag.StringVar(&o.snapshot, "snapshot", "", "a file with the first push: what POST /snapshot takes")
	flag.StringVar(&o.node, "node", "", "the node id that the first push is for")
	flag.StringVar(&o.linear, "linear", "", "kinds that are kept in linear caches, with commas between them")
	flag.BoolVar(&o.isSplit, "split", false, "serve a stream for each type: answer for what is there, in any order")
	flag.BoolVar(&o.isService, "service", false, "run until a signal comes, whatever standard input does")
	flag.Parse()
	if err := run(o, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "go-control-plane:", err)
		os.Exit(1)
	}
}

func run(o options, in io.Reader, out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	xds, err := net.Listen("tcp", o.xds)
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", o.control)
	if err != nil {
		return err
	}

	snapshots := newSnapshots(!o.isSplit, strings.FieldsFunc(o.linear, func(r rune) bool { return r == ',' }))
	if err := pushFile(snapshots, o.node, o.snapshot); err != nil {
		return err
	}
	journal := newJournal()
	ads := grpc.NewServer()
	order := []config.XDSOption{}
	if !o.isSplit {
		order = append(order, sotw.WithOrderedADS())
	}
	discoveryServer := server.NewServer(ctx, snapshots.serving(), journal.callbacks(), order...)
	discovery.RegisterAggregatedDiscoveryServiceServer(ads, discoveryServer)
	clusterservice.RegisterClusterDiscoveryServiceServer(ads, discoveryServer)
	endpointservice.RegisterEndpointDiscoveryServiceServer(ads, discoveryServer)
	listenerservice.RegisterListenerDiscoveryServiceServer(ads, discoveryServer)
	routeservice.RegisterRouteDiscoveryServiceServer(ads, discoveryServer)
	routeservice.RegisterScopedRoutesDiscoveryServiceServer(ads, discoveryServer)
	routeservice.RegisterVirtualHostDiscoveryServiceServer(ads, discoveryServer)
	secretservice.RegisterSecretDiscoveryServiceServer(ads, discoveryServer)
	runtimeservice.RegisterRuntimeDiscoveryServiceServer(ads, discoveryServer)
	extensionservice.RegisterExtensionConfigDiscoveryServiceServer(ads, discoveryServer)
	logs := &accessLogs{kept: map[string]int{}}
	accesslogservice.RegisterAccessLogServiceServer(ads, logs)
	handler := controlHandler(snapshots, journal, logs, stop)
	handler.HandleFunc("POST /v3/", restHandler(&server.HTTPGateway{Server: discoveryServer}))
	http1 := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}

	failed := make(chan error, 2)
	go func() { failed <- ads.Serve(xds) }()
	go func() { failed <- http1.Serve(control) }()
	if !o.isService {
		go func() {
			_, _ = io.Copy(io.Discard, in)
			stop()
		}()
	}
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

func pushFile(snapshots *snapshots, node, file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var body map[string][]json.RawMessage
	if err := json.Unmarshal(text, &body); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if _, err := snapshots.push(node, body); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
