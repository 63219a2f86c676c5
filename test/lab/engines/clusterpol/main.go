// Decides connections by NetworkPolicies, AdminNetworkPolicies and the BaselineAdminNetworkPolicy with the evaluator of
// kube-network-policies, the data plane of SIG Network, which shares nothing with replay.
// In: JSON on standard input. Out: a JSON list of booleans, one for each connection, in their order.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	_ "unsafe"

	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	npafake "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned/fake"
	npainformers "sigs.k8s.io/network-policy-api/pkg/client/informers/externalversions"
)

// The fields of the evaluator's own packet, in their order.
type packet struct {
	id      uint32
	family  v1.IPFamily
	srcIP   net.IP
	dstIP   net.IP
	proto   v1.Protocol
	srcPort int
	dstPort int
	payload []byte
}

// The data plane asks this for the first packet of a connection; it exports no other way in.
//
//go:linkname evaluatePacket sigs.k8s.io/kube-network-policies/pkg/networkpolicy.(*Controller).evaluatePacket
func evaluatePacket(c *networkpolicy.Controller, ctx context.Context, p packet) bool

type pod struct {
	Namespace string
	Labels    map[string]string
}

type connection struct {
	From, To pod
	Port     int
}

type input struct {
	Policies    []*networkingv1.NetworkPolicy
	Admin       []*v1alpha1.AdminNetworkPolicy
	Baseline    []*v1alpha1.BaselineAdminNetworkPolicy
	Connections []connection
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	var in input
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	must(decoder.Decode(&in))
	klog.SetOutput(io.Discard)

	objects := informers.NewSharedInformerFactory(fake.NewSimpleClientset(), 0)
	admin := npainformers.NewSharedInformerFactory(npafake.NewSimpleClientset(), 0)
	config := networkpolicy.Config{AdminNetworkPolicy: true, BaselineAdminNetworkPolicy: true, NRIdisabled: true, NodeName: "lab"}
	controller, err := networkpolicy.NewController(fake.NewSimpleClientset(),
		objects.Networking().V1().NetworkPolicies(), objects.Core().V1().Namespaces(), objects.Core().V1().Pods(), objects.Core().V1().Nodes(),
		npafake.NewSimpleClientset(), admin.Policy().V1alpha1().AdminNetworkPolicies(), admin.Policy().V1alpha1().BaselineAdminNetworkPolicies(), config)
	must(err)

	for _, policy := range in.Policies {
		must(objects.Networking().V1().NetworkPolicies().Informer().GetIndexer().Add(policy))
	}
	for _, policy := range in.Admin {
		must(admin.Policy().V1alpha1().AdminNetworkPolicies().Informer().GetIndexer().Add(policy))
	}
	for _, policy := range in.Baseline {
		must(admin.Policy().V1alpha1().BaselineAdminNetworkPolicies().Informer().GetIndexer().Add(policy))
	}
	known := map[string]net.IP{}
	addressOf := func(p pod) net.IP {
		labels, err := json.Marshal(p.Labels)
		must(err)
		key := p.Namespace + "/" + string(labels)
		if address, ok := known[key]; ok {
			return address
		}
		number := len(known) + 1
		address := net.IPv4(10, byte(number>>16), byte(number>>8), byte(number))
		known[key] = address
		must(objects.Core().V1().Namespaces().Informer().GetIndexer().Add(&v1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: p.Namespace, Labels: map[string]string{"kubernetes.io/metadata.name": p.Namespace}}}))
		must(objects.Core().V1().Pods().Informer().GetIndexer().Add(&v1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pod-%d", number), Namespace: p.Namespace, Labels: p.Labels},
			Status:     v1.PodStatus{Phase: v1.PodRunning, PodIPs: []v1.PodIP{{IP: address.String()}}},
		}))
		return address
	}
	out := make([]bool, len(in.Connections))
	for i, c := range in.Connections {
		from, to := addressOf(c.From), addressOf(c.To)
		out[i] = evaluatePacket(controller, context.Background(), packet{
			family: v1.IPv4Protocol, srcIP: from, dstIP: to, proto: v1.ProtocolTCP, srcPort: 40000, dstPort: c.Port,
		})
	}
	must(json.NewEncoder(os.Stdout).Encode(out))
}
