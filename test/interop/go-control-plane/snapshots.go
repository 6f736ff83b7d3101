package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tls "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	runtime "github.com/envoyproxy/go-control-plane/envoy/service/runtime/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cache "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	// What an Any may hold: protojson finds a type by its URL only if its package is linked in.
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/grpc/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/on_demand/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
)

// kind is one resource type under the short name that the HTTP interface uses.
type kind struct {
	name  string
	url   string
	slot  types.ResponseType
	empty func() types.Resource
}

// In the order in which a change goes out of linear caches, which know nothing of each other: what is
// referred to before what refers to it.
var kinds = []kind{
	{"clusters", resource.ClusterType, types.Cluster, func() types.Resource { return &cluster.Cluster{} }},
	{"endpoints", resource.EndpointType, types.Endpoint, func() types.Resource { return &endpoint.ClusterLoadAssignment{} }},
	{"secrets", resource.SecretType, types.Secret, func() types.Resource { return &tls.Secret{} }},
	{"extension_configs", resource.ExtensionConfigType, types.ExtensionConfig, func() types.Resource { return &core.TypedExtensionConfig{} }},
	{"listeners", resource.ListenerType, types.Listener, func() types.Resource { return &listener.Listener{} }},
	{"routes", resource.RouteType, types.Route, func() types.Resource { return &route.RouteConfiguration{} }},
	{"scoped_routes", resource.ScopedRouteType, types.ScopedRoute, func() types.Resource { return &route.ScopedRouteConfiguration{} }},
	{"virtual_hosts", resource.VirtualHostType, types.VirtualHost, func() types.Resource { return &route.VirtualHost{} }},
	{"runtime", resource.RuntimeType, types.Runtime, func() types.Resource { return &runtime.Runtime{} }},
}

func kindByURL(url string) (kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.url == url })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

// set is one resource type of one node: what it holds, and how often that has changed.
type set struct {
	byName  map[string]types.Resource
	version int
}

// snapshots keeps what each node should have. go-control-plane hands out whole snapshots; the
// versions are counted here, per type, so that a push that changes routes alone sends routes alone.
type snapshots struct {
	cache  cache.SnapshotCache
	linear map[string]*cache.LinearCache // kind name; of all nodes alike, for these caches know none
	mu     sync.Mutex
	nodes  map[string]map[string]*set // node id, kind name
}

// newSnapshots keeps the kinds that are named in linear caches, the others in a snapshot cache. In ADS mode
// the latter answers for routes and endpoints only when all that were asked for are there.
func newSnapshots(isADS bool, linear []string) *snapshots {
	s := &snapshots{
		cache:  cache.NewSnapshotCache(isADS, cache.IDHash{}, nil),
		linear: map[string]*cache.LinearCache{},
		nodes:  map[string]map[string]*set{},
	}
	for _, k := range kinds {
		if slices.Contains(linear, k.name) {
			s.linear[k.name] = cache.NewLinearCache(k.url)
		}
	}
	return s
}

// serving is what the server asks: one cache, or several behind one.
func (s *snapshots) serving() cache.Cache {
	if len(s.linear) == 0 {
		return s.cache
	}
	caches := map[string]cache.Cache{"": s.cache}
	for name, one := range s.linear {
		caches[name] = one
	}
	nameOf := func(url string) string {
		k, _ := kindByURL(url)
		if s.linear[k.name] == nil {
			return ""
		}
		return k.name
	}
	return &cache.MuxCache{
		Classify:      func(request *cache.Request) string { return nameOf(request.GetTypeUrl()) },
		ClassifyDelta: func(request *cache.DeltaRequest) string { return nameOf(request.GetTypeUrl()) },
		Caches:        caches,
	}
}

// push replaces the types that the body names and leaves the others; a type whose resources are the
// same as before keeps its version. All or nothing: one bad resource and nothing is pushed.
func (s *snapshots) push(node string, body map[string][]json.RawMessage) (map[string]string, error) {
	decoded := map[string]map[string]types.Resource{}
	for name, raw := range body {
		i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown kind %q", name)
		}
		resources, err := decode(kinds[i], raw)
		if err != nil {
			return nil, err
		}
		decoded[name] = resources
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sets := s.setsOf(node)
	for _, k := range kinds {
		resources, ok := decoded[k.name]
		if !ok {
			continue
		}
		if err := s.replace(sets[k.name], k, resources); err != nil {
			return nil, err
		}
	}
	return s.publish(node, sets)
}

// remove takes one resource away. Removing what is not there is an error: a test that does it is wrong.
func (s *snapshots) remove(node, kindName, name string) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sets := s.setsOf(node)
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == kindName })
	if i < 0 {
		return nil, fmt.Errorf("unknown kind %q", kindName)
	}
	held := sets[kindName]
	if _, ok := held.byName[name]; !ok {
		return nil, fmt.Errorf("node %q has none of %s named %q", node, kindName, name)
	}
	rest := maps.Clone(held.byName)
	delete(rest, name)
	if err := s.replace(held, kinds[i], rest); err != nil {
		return nil, err
	}
	return s.publish(node, sets)
}

func (s *snapshots) setsOf(node string) map[string]*set {
	if s.nodes[node] == nil {
		s.nodes[node] = map[string]*set{}
		for _, k := range kinds {
			s.nodes[node][k.name] = &set{byName: map[string]types.Resource{}}
		}
	}
	return s.nodes[node]
}

func (s *snapshots) publish(node string, sets map[string]*set) (map[string]string, error) {
	snapshot, versions := snapshotOf(sets)
	return versions, s.cache.SetSnapshot(context.Background(), node, snapshot)
}

func snapshotOf(sets map[string]*set) (*cache.Snapshot, map[string]string) {
	snapshot := &cache.Snapshot{}
	versions := map[string]string{}
	for _, k := range kinds {
		held := sets[k.name]
		versions[k.name] = strconv.Itoa(held.version)
		snapshot.Resources[k.slot] = cache.NewResources(versions[k.name], slices.Collect(maps.Values(held.byName)))
	}
	return snapshot, versions
}

// replace takes all resources of one kind, and tells a linear cache what is different.
func (s *snapshots) replace(held *set, k kind, resources map[string]types.Resource) error {
	before := held.version
	changed, gone := held.replace(resources)
	linear := s.linear[k.name]
	if linear == nil || held.version == before {
		return nil
	}
	// Counts its own versions: one for each call, so they are the same.
	return linear.UpdateResources(changed, gone)
}

// replace counts a version only if something is different, or nothing was ever there.
func (s *set) replace(resources map[string]types.Resource) (changed map[string]types.Resource, gone []string) {
	changed = map[string]types.Resource{}
	for name, resource := range resources {
		if !proto.Equal(s.byName[name], resource) {
			changed[name] = resource
		}
	}
	for name := range s.byName {
		if _, stays := resources[name]; !stays {
			gone = append(gone, name)
		}
	}
	if s.version == 0 || len(changed)+len(gone) > 0 {
		s.byName = resources
		s.version++
	}
	return changed, gone
}

func decode(k kind, raw []json.RawMessage) (map[string]types.Resource, error) {
	resources := map[string]types.Resource{}
	for i, text := range raw {
		message := k.empty()
		if err := protojson.Unmarshal(text, message); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", k.name, i, err)
		}
		name := cache.GetResourceName(message)
		if _, twice := resources[name]; twice {
			return nil, fmt.Errorf("%s[%d]: %q is there twice", k.name, i, name)
		}
		resources[name] = message
	}
	return resources, nil
}
