import { createHash } from 'node:crypto'

/** The policy, the same for everybody: names and paths are data, so no text can become a rule. */
export const POLICY = `# Decides requests that Envoy asks OPA about (ext_authz, in the form of OPA's Envoy plugin) by the grants in data.json.
# All names and paths are data: this text is the same for everybody.
package envoy.authz

default allow := false

allow if {
	some grant in grants
	port_fits(grant)
	method_fits(grant)
	path_fits(grant)
	users_fit(grant)
}

# Which callee is asked is said by the proxy's own configuration, never by the client.
callee := data.cinch.callees[input.attributes.contextExtensions["cinch.callee"]]

grants := callee.callers[principal]

# Envoy takes it from the caller's certificate; without mutual TLS there is none.
principal := substring(uri, count("spiffe://"), -1) if {
	uri := input.attributes.source.principal
	startswith(uri, "spiffe://")
}

port_fits(grant) if not "ports" in object.keys(grant)

port_fits(grant) if input.attributes.destination.address.socketAddress.portValue in grant.ports

method_fits(grant) if not "methods" in object.keys(grant)

method_fits(grant) if input.attributes.request.http.method in grant.methods

path_fits(grant) if not "paths" in object.keys(grant)

path_fits(grant) if {
	path in grant.paths
}

path_fits(grant) if {
	some template in grant.paths
	is_template(template)
	is_of(template)
	not excluded(grant)
}

users_fit(grant) if not "claims" in object.keys(grant)

# Of each claim, one of the values.
users_fit(grant) if {
	count(grant.claims) > 0
	every name, values in grant.claims {
		some value in values
		claims(name, value)
	}
}

# What Envoy's filter for tokens verified and left behind; without a token it leaves nothing.
token := input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].payload

claims(name, value) if token[name] == value

claims(name, value) if {
	is_array(token[name])
	value in token[name]
}

excluded(grant) if {
	some other in grant.not_paths
	other == path
}

excluded(grant) if {
	some other in grant.not_paths
	is_template(other)
	is_of(other)
}

# The path as the proxy normalised it, without the query. OPA's parsed_path is not used: it decodes %2F before it splits.
path := split(input.attributes.request.http.path, "?")[0]

segments := split(path, "/")

is_of(template) if {
	parts := split(template, "/")
	count(parts) == count(segments)
	every at, part in parts {
		segment_fits(part, segments[at])
	}
}

# Whatever lies below, at any depth.
is_of(template) if {
	endswith(template, "/{**}")
	parts := split(trim_suffix(template, "/{**}"), "/")
	count(parts) < count(segments)
	every at, part in parts {
		segment_fits(part, segments[at])
	}
}

is_template(text) if contains(text, "{*}")

is_template(text) if endswith(text, "/{**}")

segment_fits(part, segment) if part == segment

# A parameter, or a text with one in it, is not empty.
segment_fits(part, segment) if {
	[before, after] := split(part, "{*}")
	startswith(segment, before)
	endswith(segment, after)
	count(segment) > count(before) + count(after)
}
`

/** SHA-256 of the texts that were written before: they stand beside data of the same form, which had no `claims`. */
const FORMER = new Set(['ba825530635a42dc5ea7cdd71f1f23f75e406c9ac0180565680df2305d8e0630'])

/** True for a policy that Cinch wrote, now or before: all that it grants is data. */
export function isOwnPolicy(content: string): boolean {
  return content === POLICY || FORMER.has(createHash('sha256').update(content).digest('hex'))
}

/** Its tests, which run the cases of `tests.json`. */
export const POLICY_TEST = `# Runs the cases of tests.json: \`opa test .\` in this directory.
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
`
