package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	accesslog "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	filelog "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// order asks for listeners by the thousand, made here: as JSON over the control port, reading them
// would be most of what a benchmark of pushes measures.
type order struct {
	Count int `json:"count"`
	// All listen on it.
	Port uint32 `json:"port"`
	// Every listener has a route configuration of its own: sent by RDS in place of inline.
	RDS bool `json:"rds"`
	// The routes of listener Changed answer Mark, all others "a".
	Changed int    `json:"changed"`
	Mark    string `json:"mark"`
}

// pushed says when the snapshot was handed to the cache, in microseconds since 1970; making the
// resources, and their version map for delta, was before it.
type pushed struct {
	Version  string `json:"version"`
	PushedAt int64  `json:"pushedAt"`
}

// generateHandler takes an order and pushes; POST /generate?node=N.
func generateHandler(snapshots *snapshots) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		done, err := snapshots.generate(r.URL.Query().Get("node"), o)
		reply(w, done, err)
	}
}

func (s *snapshots) generate(node string, o order) (pushed, error) {
	listeners, routes := map[string]types.Resource{}, map[string]types.Resource{}
	for i := range o.Count {
		made, routesOfIt, err := o.listener(i)
		if err != nil {
			return pushed{}, err
		}
		listeners[made.GetName()] = made
		if o.RDS {
			routes[routesOfIt.GetName()] = routesOfIt
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sets := s.setsOf(node)
	sets["listeners"].replace(listeners)
	sets["routes"].replace(routes)
	snapshot, versions := snapshotOf(sets)
	if err := snapshot.ConstructVersionMap(); err != nil {
		return pushed{}, err
	}
	done := pushed{versions["listeners"], time.Now().UnixMicro()}
	return done, s.cache.SetSnapshot(context.Background(), node, snapshot)
}

// listener number i has a loopback address of its own, so that no ephemeral port is in the way.
func (o order) listener(i int) (*listener.Listener, *route.RouteConfiguration, error) {
	name := strconv.Itoa(i)
	routes := o.routes(i)
	manager := &hcm.HttpConnectionManager{StatPrefix: "in-" + name}
	if o.RDS {
		manager.RouteSpecifier = &hcm.HttpConnectionManager_Rds{Rds: &hcm.Rds{
			RouteConfigName: routes.GetName(),
			ConfigSource: &core.ConfigSource{
				ResourceApiVersion:    core.ApiVersion_V3,
				ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}},
			},
		}}
	} else {
		manager.RouteSpecifier = &hcm.HttpConnectionManager_RouteConfig{RouteConfig: routes}
	}
	routing, log, err := extensions()
	if err != nil {
		return nil, nil, err
	}
	manager.HttpFilters = []*hcm.HttpFilter{{
		Name:       "envoy.filters.http.router",
		ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: routing},
	}}
	manager.AccessLog = []*accesslog.AccessLog{{
		Name:       "envoy.access_loggers.file",
		ConfigType: &accesslog.AccessLog_TypedConfig{TypedConfig: log},
	}}
	filter, err := packed(manager)
	if err != nil {
		return nil, nil, err
	}
	return &listener.Listener{
		Name:    "listener-" + name,
		Address: tcpAddress(fmt.Sprintf("127.%d.%d.%d", 1+i>>16, i>>8&255, i&255), o.Port),
		FilterChains: []*listener.FilterChain{{Filters: []*listener.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listener.Filter_TypedConfig{TypedConfig: filter},
		}}}},
	}, routes, nil
}

// routes lead to a cluster, as they mostly do; one path is answered by the proxy itself, with the mark.
func (o order) routes(i int) *route.RouteConfiguration {
	mark := "a"
	if i == o.Changed {
		mark = o.Mark
	}
	to := func(prefix string) *route.Route {
		return &route.Route{
			Match: &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: prefix}},
			Action: &route.Route_Route{Route: &route.RouteAction{
				ClusterSpecifier: &route.RouteAction_Cluster{Cluster: "backend"},
				Timeout:          durationpb.New(15 * time.Second),
			}},
			RequestHeadersToAdd: []*core.HeaderValueOption{{Header: &core.HeaderValue{Key: "x-route", Value: prefix}}},
		}
	}
	answer := &route.Route{
		Match: &route.RouteMatch{PathSpecifier: &route.RouteMatch_Path{Path: "/mark"}},
		Action: &route.Route_DirectResponse{DirectResponse: &route.DirectResponseAction{
			Status: http.StatusOK,
			Body:   &core.DataSource{Specifier: &core.DataSource_InlineString{InlineString: mark}},
		}},
	}
	name := strconv.Itoa(i)
	return &route.RouteConfiguration{
		Name: "routes-" + name,
		VirtualHosts: []*route.VirtualHost{{
			Name:    "all",
			Domains: []string{"in-" + name + ".example", "*"},
			Routes:  []*route.Route{answer, to("/api/"), to("/")},
		}},
	}
}

const logFormat = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% " +
	"%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\"\n"

func extensions() (routing, log *anypb.Any, err error) {
	if routing, err = packed(&router.Router{}); err != nil {
		return nil, nil, err
	}
	log, err = packed(&filelog.FileAccessLog{
		Path: "/dev/null",
		AccessLogFormat: &filelog.FileAccessLog_LogFormat{LogFormat: &core.SubstitutionFormatString{
			Format: &core.SubstitutionFormatString_TextFormatSource{TextFormatSource: &core.DataSource{
				Specifier: &core.DataSource_InlineString{InlineString: logFormat},
			}},
		}},
	})
	return routing, log, err
}

// packed is deterministic: a listener that is made twice has the same bytes.
func packed(message proto.Message) (*anypb.Any, error) {
	packed := &anypb.Any{}
	return packed, anypb.MarshalFrom(packed, message, proto.MarshalOptions{Deterministic: true})
}

func tcpAddress(host string, port uint32) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address:       host,
		PortSpecifier: &core.SocketAddress_PortValue{PortValue: port},
	}}}
}
