-- Retention: usage is kept for a year and the month after it, counted from the day on which it was last loaded, so that a month-end or
-- yearly job is still seen, and a recording of last year that is loaded today is kept. services/store/retention.ts sets other spans.
ALTER TABLE operation_usage {on_cluster} ADD COLUMN IF NOT EXISTS loaded SimpleAggregateFunction(max, Date) DEFAULT today() CODEC(ZSTD(1));
ALTER TABLE edge_usage_hour {on_cluster} ADD COLUMN IF NOT EXISTS loaded SimpleAggregateFunction(max, Date) DEFAULT today() CODEC(ZSTD(1));
ALTER TABLE edge_usage_day {on_cluster} ADD COLUMN IF NOT EXISTS loaded SimpleAggregateFunction(max, Date) DEFAULT today() CODEC(ZSTD(1));
ALTER TABLE operation_usage {on_cluster} MODIFY SETTING ttl_only_drop_parts = 1;
ALTER TABLE edge_usage_hour {on_cluster} MODIFY SETTING ttl_only_drop_parts = 1;
ALTER TABLE edge_usage_day {on_cluster} MODIFY SETTING ttl_only_drop_parts = 1;
ALTER TABLE operation_usage {on_cluster} MODIFY TTL loaded + INTERVAL 400 DAY SETTINGS materialize_ttl_after_modify = 0;
ALTER TABLE edge_usage_hour {on_cluster} MODIFY TTL loaded + INTERVAL 400 DAY SETTINGS materialize_ttl_after_modify = 0;
ALTER TABLE edge_usage_day {on_cluster} MODIFY TTL loaded + INTERVAL 400 DAY SETTINGS materialize_ttl_after_modify = 0;
