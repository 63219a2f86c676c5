/**
 * Answers what Envoy asks OPA about (ext_authz): who lacks the authentication that an operation needs is told so as RFC 9470 has it, and
 * can come again. Everybody else, and every machine, passes: what they may do is for other policies. The same text for everybody: what
 * is asked of which operation is data.
 */
export const STEP_UP_REGO = `# Step-up (RFC 9470) by the triggers in data.json. All names and paths are data: this text is the same for everybody.
# Its decision is data.envoy.step_up.allow, beside those of other policies.
package envoy.step_up

default allow := true

allow := {"allowed": false, "http_status": 401, "headers": {"www-authenticate": challenge}} if {
	count(lacking) > 0
}

# What the proxy itself verified (envoy.filters.http.jwt_authn); without a token there is no user to ask.
claims := input.attributes.metadataContext.filterMetadata["envoy.filters.http.jwt_authn"].payload

triggers := data.cinch.step_up[input.attributes.contextExtensions["cinch.callee"]]

lacking contains trigger if {
	claims
	some trigger in triggers
	trigger.port in {0, input.attributes.destination.address.socketAddress.portValue}
	trigger.method in {"", input.attributes.request.http.method}
	path_fits(trigger)
	not suffices(trigger)
}

suffices(trigger) if {
	claims.acr in trigger.acr_values
	not is_stale(trigger)
}

is_stale(trigger) if {
	trigger.max_age_s > 0
	not is_fresh(trigger)
}

is_fresh(trigger) if {
	now := time.parse_rfc3339_ns(input.attributes.request.time) / 1000000000
	now - claims.auth_time <= trigger.max_age_s
}

# Of several triggers the one that asks for most: the fewest levels, then the shortest age.
strictest := sort([[count(one.acr_values), age_of(one), one] | some one in lacking])[0][2]

age_of(one) := one.max_age_s if one.max_age_s > 0

age_of(one) := 4294967295 if one.max_age_s == 0

challenge := concat("", [
	"Bearer error=\\"insufficient_user_authentication\\", error_description=\\"A different authentication level is required\\", acr_values=\\"",
	concat(" ", strictest.acr_values), "\\"", max_age,
])

max_age := sprintf(", max_age=\\"%d\\"", [strictest.max_age_s]) if strictest.max_age_s > 0

max_age := "" if strictest.max_age_s == 0

path_fits(trigger) if trigger.path == ""

path_fits(trigger) if trigger.path == path

path_fits(trigger) if {
	contains(trigger.path, "{*}")
	parts := split(trigger.path, "/")
	count(parts) == count(segments)
	every at, part in parts {
		segment_fits(part, segments[at])
	}
}

path_fits(trigger) if {
	endswith(trigger.path, "/{**}")
	parts := split(trim_suffix(trigger.path, "/{**}"), "/")
	count(parts) < count(segments)
	every at, part in parts {
		segment_fits(part, segments[at])
	}
}

path := split(input.attributes.request.http.path, "?")[0]

segments := split(path, "/")

segment_fits(part, segment) if part == segment

segment_fits(part, segment) if {
	part == "{*}"
	segment != ""
}
`

/** How Envoy asks: OPA must see what the token filter verified, and which callee is asked. */
export const EXT_AUTHZ = `# Envoy's HTTP filters of a callee, behind envoy.filters.http.jwt_authn and before the router. Say in context_extensions of the
# route (per-route check_settings) which callee it is, as data.json names it; never take that from the client.
- name: envoy.filters.http.ext_authz
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
    transport_api_version: V3
    # A failure to ask refuses: deny by default.
    failure_mode_allow: false
    metadata_context_namespaces: [envoy.filters.http.jwt_authn]
    grpc_service: {envoy_grpc: {cluster_name: opa}, timeout: 0.5s}
`
