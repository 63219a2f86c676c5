/** Columns that every mapping of a request yields, in the order of the INSERT. */
export const REQUEST_COLUMNS = `
  sender, tenant, batch, evidence_cap, speaks_for, line, cluster, reject_reason, reporter_namespace, reporter_workload, time, reporter,
  enforcement_point, source_principal, source_evidence, source_workload, source_namespace, source_cluster, source_address, source_port,
  gateway_address, gateway_port, gateway_upstream_port, gateway_upstream_address,
  destination_principal, destination_workload, destination_namespace, destination_cluster, destination_service, destination_address,
  service_port, workload_port, authority, sni, destination_kind, protocol, method, path, original_path, shape, path_flags, grpc_service,
  grpc_method, status, grpc_status, decision, decided_by, response_flags, duration_us, bytes_in, bytes_out, user_issuer, user_subject,
  user_groups, acr, amr, auth_time, client_address, user_agent, mtls, tls_version, certificate_hash, certificate_end, trace_id, span_id, request_id`

/** Columns that a mapping of spans yields. */
export const SPAN_COLUMNS = `
  batch, sender, cluster, reject_reason, line, time, span_key, parent_key, duration_us, namespace, service, workload, kind, protocol, method,
  path, path_flags, path_rank, status, is_database, trace_id`

/** Columns that a mapping of directory events yields. */
export const DIRECTORY_COLUMNS = `
  batch, sender, cluster, tenant, reject_reason, line, time, time_told, event_id, category, action, outcome, reason, actor_id, actor_type, actor_name,
  actor_address, actor_client, actor_agent, actor_device, targets, changes, correlations, event`
