-- The trust domains of each cluster's mesh that mean one: its own first, then the aliases, as its mesh configuration has them.
-- Owner: collector; small, read whole.

-- ORDER BY: one row a cluster; the last declaration wins. No TTL: a declaration holds until it is replaced.
CREATE TABLE IF NOT EXISTS declared_trust_domain {on_cluster} (
  cluster String, names Array(String), declared DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = {engine:ReplacingMergeTree}(declared) ORDER BY cluster;
