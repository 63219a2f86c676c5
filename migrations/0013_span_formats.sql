-- Which format a span came in: what was rejected of Jaeger's documents stood under OTLP's name, and so did their counts.
ALTER TABLE parsed_span {on_cluster} ADD COLUMN IF NOT EXISTS source_format LowCardinality(String) DEFAULT 'otlp-traces';

DROP VIEW IF EXISTS span_of_parsed {on_cluster};
CREATE MATERIALIZED VIEW IF NOT EXISTS span_of_parsed {on_cluster} TO span AS
SELECT * EXCEPT (reject_reason, line, batch, source_format) FROM parsed_span WHERE reject_reason = '';

DROP VIEW IF EXISTS rejected_line_of_span {on_cluster};
CREATE MATERIALIZED VIEW IF NOT EXISTS rejected_line_of_span {on_cluster} TO rejected_line AS
SELECT
  source_format, sender, cluster, batch, reject_reason AS reason,
  substring(replaceRegexpAll(replaceRegexpAll(toValidUTF8(substring(line, 1, 4096)),
    '\\?[^" ]*', '?<query>'),
    '\\beyJ[A-Za-z0-9_-]{5,}(\\.[A-Za-z0-9_-]*){0,2}|\\b[A-Za-z0-9+/_-]{48,}={0,2}', '<redacted>'), 1, 512) AS line
FROM parsed_span WHERE reject_reason != '';

DROP VIEW IF EXISTS ingest_batch_of_span {on_cluster};
CREATE MATERIALIZED VIEW IF NOT EXISTS ingest_batch_of_span {on_cluster} TO ingest_batch AS
SELECT
  batch, source_format, sender, cluster, countIf(reject_reason = '') AS accepted, countIf(reject_reason != '') AS rejected,
  minIf(time, reject_reason = '') AS first_time, maxIf(time, reject_reason = '') AS last_time, now() AS loaded
FROM parsed_span GROUP BY batch, source_format, sender, cluster;
