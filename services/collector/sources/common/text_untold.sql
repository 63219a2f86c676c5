-- What the default text formats do not tell.
  '' AS original_path_text, '' AS peer_uri, '' AS local_uri, '' AS xfcc, '' AS traceparent, '' AS tls_text, false AS tells_no_tls, false AS tells_original,
  '' AS certificate_hash_text, '' AS certificate_end_text, '' AS grpc_status_text, '' AS claims_text, '' AS rbac_text, '' AS operation_text
