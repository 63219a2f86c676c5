-- What is declared, by people and by Kubernetes objects. Owner: collector; small, read whole.

-- ORDER BY: one row per object; the last declaration wins. No TTL: a declaration holds until it is replaced.
CREATE TABLE IF NOT EXISTS declared_workload {on_cluster} (
  cluster String, namespace String, name String, kind String, service_account String, labels Map(String, String), owner String, declared DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = {engine:ReplacingMergeTree}(declared) ORDER BY (cluster, namespace, kind, name);

-- ORDER BY: one row per service; the last declaration wins.
CREATE TABLE IF NOT EXISTS declared_service {on_cluster} (
  cluster String, namespace String, name String, selector Map(String, String),
  ports Array(Tuple(name String, service_port UInt16, workload_port UInt16, protocol String)), declared DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = {engine:ReplacingMergeTree}(declared) ORDER BY (cluster, namespace, name);

-- Senders: who may write telemetry, of what, for whom, and how strong their word is at most. Tokens are kept as hashes only.
-- ORDER BY: one row per sender; the last registration wins.
CREATE TABLE IF NOT EXISTS sender {on_cluster} (
  id String, token_hash String, sources Array(String), cluster String, speaks_for String, evidence_cap UInt8, revoked Bool, registered DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = {engine:ReplacingMergeTree}(registered) ORDER BY id;

-- How far each file was read: a file is known by the digest of its beginning, wherever it lies and whatever it is called.
-- ORDER BY: asked for by source and cluster; the furthest position wins.
CREATE TABLE IF NOT EXISTS file_progress {on_cluster} (
  file String, source_format String, cluster String, beginning UInt32, position UInt64, recorded DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = {engine:ReplacingMergeTree}(position) ORDER BY (source_format, cluster, file);
