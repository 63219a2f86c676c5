-- The graph service: what spans tell of is an edge too, and what is declared of workloads beside their owner.

-- What a span's call is, once, as for requests: a graph then reads usage by the edge only. Owner: collector (view).
ALTER TABLE edge {on_cluster} ADD COLUMN IF NOT EXISTS unpaired LowCardinality(String);
ALTER TABLE span_call {on_cluster} ADD COLUMN IF NOT EXISTS edge FixedString(16) ALIAS sipHash128(
  cluster, destination_namespace, destination_workload, source_cluster, source_namespace, source_workload, unpaired, toInt8(protocol));

CREATE MATERIALIZED VIEW IF NOT EXISTS edge_of_span_call {on_cluster} TO edge AS
SELECT
  edge, cluster, destination_namespace, destination_workload, source_cluster, source_namespace, source_workload,
  if(source_workload = '', 'none', 'claimed') AS source_evidence, 'span' AS reporter, protocol, unpaired, 'otlp-traces' AS source_format
FROM span_call LIMIT 1 BY edge;

INSERT INTO edge (edge, cluster, destination_namespace, destination_workload, source_cluster, source_namespace, source_workload, source_evidence, reporter, protocol, unpaired, source_format)
SELECT
  edge, cluster, destination_namespace, destination_workload, source_cluster, source_namespace, source_workload,
  if(source_workload = '', 'none', 'claimed'), 'span', protocol, unpaired, 'otlp-traces'
FROM span_call LIMIT 1 BY edge;

-- For grouping.
ALTER TABLE declared_workload {on_cluster} ADD COLUMN IF NOT EXISTS sensitivity String, ADD COLUMN IF NOT EXISTS category String;

-- What the caller join made of an edge, once: its id and what was found, beside the edge that the calls were counted under. Owner:
-- analyzer (view). ORDER BY: looked up by its id. No TTL: a name must not be forgotten while its usage is there. Rows of one id are alike.
CREATE TABLE IF NOT EXISTS joined_edge {on_cluster} (
  joined_edge FixedString(16), edge FixedString(16),
  source_cluster LowCardinality(String), source_namespace LowCardinality(String), source_workload LowCardinality(String),
  source_principal LowCardinality(String), source_service LowCardinality(String),
  source_evidence Enum8('none' = 0, 'claimed' = 1, 'address' = 2, 'joined' = 3, 'verified' = 4),
  gateway_namespace LowCardinality(String), gateway_workload LowCardinality(String), gateway_service LowCardinality(String)
) ENGINE = {engine:ReplacingMergeTree} ORDER BY joined_edge
SETTINGS {dedup};

CREATE MATERIALIZED VIEW IF NOT EXISTS joined_edge_of_call {on_cluster} TO joined_edge AS
SELECT
  sipHash128(edge, source_cluster, source_namespace, source_workload, source_principal, source_service, toInt8(source_evidence),
    gateway_namespace, gateway_workload, gateway_service) AS joined_edge,
  edge, source_cluster, source_namespace, source_workload, source_principal, source_service, source_evidence, gateway_namespace, gateway_workload, gateway_service
FROM joined_call_hour WHERE lines > 0 OR lines_denied > 0 LIMIT 1 BY joined_edge;

INSERT INTO joined_edge
SELECT
  sipHash128(edge, source_cluster, source_namespace, source_workload, source_principal, source_service, toInt8(source_evidence),
    gateway_namespace, gateway_workload, gateway_service) AS joined_edge,
  edge, source_cluster, source_namespace, source_workload, source_principal, source_service, source_evidence, gateway_namespace, gateway_workload, gateway_service
FROM joined_call_hour WHERE lines > 0 OR lines_denied > 0 LIMIT 1 BY joined_edge;
