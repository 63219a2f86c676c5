// Decides connections by NetworkPolicies with Cyclonus's matcher, which shares nothing with replay.
// In: JSON on standard input. Out: a JSON list of booleans, one for each connection, in their order.
package main

import (
	"encoding/json"
	"log"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

type pod struct {
	Namespace       string
	NamespaceLabels map[string]string
	Labels          map[string]string
}

type connection struct {
	From, To pod
	Port     int
	PortName string
	Protocol v1.Protocol
}

type input struct {
	Policies    []*networkingv1.NetworkPolicy
	Connections []connection
}

func peer(p pod) *matcher.TrafficPeer {
	internal := &matcher.InternalPeer{Namespace: p.Namespace, NamespaceLabels: p.NamespaceLabels, PodLabels: p.Labels}
	return &matcher.TrafficPeer{Internal: internal, IP: "192.0.2.1"}
}

func main() {
	var in input
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		log.Fatal(err)
	}
	policies := matcher.BuildNetworkPolicies(false, in.Policies)
	out := make([]bool, len(in.Connections))
	for i, c := range in.Connections {
		out[i] = policies.IsTrafficAllowed(&matcher.Traffic{
			Source: peer(c.From), Destination: peer(c.To),
			ResolvedPort: c.Port, ResolvedPortName: c.PortName, Protocol: c.Protocol,
		}).IsAllowed()
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		log.Fatal(err)
	}
}
