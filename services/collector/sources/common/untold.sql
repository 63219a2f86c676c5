-- What a source that is not Envoy's does not tell: each field of `facts.sql` with the value that says nothing. A mapping
-- replaces (`* REPLACE`) those that its format tells.
  '' AS field_reject, CAST(NULL, 'Nullable(DateTime64(6, \'UTC\'))') AS parsed_time,
  pod_namespace AS reporter_namespace, pod_workload AS reporter_workload, 'flow' AS reporter, 'none' AS enforcement_point, 'end' AS stage,
  '' AS source_principal, 'none' AS source_evidence, '' AS source_workload, '' AS source_namespace, '' AS source_cluster,
  '' AS source_address_text, 0 AS source_port, '' AS destination_principal, '' AS destination_workload, '' AS destination_namespace,
  cluster AS destination_cluster, '' AS destination_service, '' AS destination_address_text, 0 AS service_port, 0 AS workload_port,
  '' AS authority_text, '' AS sni, 'internal' AS destination_kind, 'unknown' AS protocol, '' AS method, '' AS path_text,
  '' AS original_path_text, '' AS shape_text, '' AS operation_text, 0 AS more_path_flags, 0 AS status, 'allowed' AS decision, '' AS decided_by, '' AS response_flags,
  0 AS duration_us, 0 AS bytes_in, 0 AS bytes_out, '' AS user_subject, emptyArrayString() AS user_groups, '' AS client_address_text,
  '' AS user_agent_text, 'unknown' AS mtls, '' AS tls_version, '' AS certificate_hash, '' AS certificate_end_text, '' AS traceparent, '' AS request_id_text
