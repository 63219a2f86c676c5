# Runs the cases of tests.json: `opa test .` in this directory.
package envoy.authz_test

import data.envoy.authz

test_every_case if {
	count(data.cases) > 0
	count(wrong) == 0
}

wrong contains one if {
	some one in data.cases
	decision := authz.allow with input as request(one)
	expected := one.expect == "allow"
	decision != expected
}

request(one) := {"attributes": {
	"source": {"principal": concat("", ["spiffe://", one.principal])},
	"destination": {"address": {"socketAddress": {"portValue": one.port}}},
	"request": {"http": {"method": one.method, "path": one.path}},
	"contextExtensions": {"cinch.callee": callee_of(one)},
	"metadataContext": {"filterMetadata": metadata(object.get(one, "user", null))},
}}

metadata(user) := {"envoy.filters.http.jwt_authn": {"payload": {"iss": user.issuer, "groups": user.groups}}} if {
	user != null
}

metadata(user) := {} if user == null

callee_of(one) := id if {
	some id, callee in data.cinch.callees
	callee.cluster == one.cluster
	callee.namespace == one.namespace
	callee.workload == one.workload
	callee.selector == one.labels
}
