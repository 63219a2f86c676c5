-- Prometheus text exposition 0.0.4 and OpenMetrics, line by line. A scrape writes its time and the target before each line, and that
-- time holds: so the samples of a look are known to be of one look. A file's lines bring their own (milliseconds in the one format,
-- seconds in the other: no count of seconds is that large yet).
-- The whole line is matched, so that what a label's value contains can be nothing but a value.
SELECT
  batch, sender, cluster, evidence_cap, speaks_for, line,
  if(name_text = 'cinch_scrape', toUInt32OrZero(value_text), toUInt32(NOT known AND line_reject_of_bytes = '')) AS skipped,
  multiIf(line_reject_of_bytes != '', line_reject_of_bytes, NOT known OR name_text = 'cinch_scrape', '', length(parts) = 0, 'not_a_sample', '') AS line_reject,
  name_text AS name,
  arrayMap(pair -> pair[1], pairs) AS keys,
  arrayMap(pair -> if(position(pair[2], '\\') = 0, pair[2],
    replaceAll(replaceAll(replaceAll(replaceAll(pair[2], '\\\\', '\0'), '\\"', '"'), '\\n', '\n'), '\0', '\\')), pairs) AS values,
  if(target = '', concat({attribute:job}, ' ', {attribute:instance}, ' ', {attribute:pod}), target) AS target_text,
  {proxy:if(target = '', values[indexOf(keys, 'instance')], splitByChar('/', target)[1])} AS instance,
  if(value_text = '', nan, toFloat64OrDefault(value_text, nan)) AS value_or_created,
  if(name_text = 'cinch_scrape', 0, value_or_created) AS value,
  if(endsWith(name_text, '_created') AND isFinite(value_or_created) AND value_or_created > 0 AND value_or_created < 1e10, fromUnixTimestamp64Milli(toInt64(value_or_created * 1000), 'UTC'), toDateTime64(0, 3, 'UTC')) AS start,
  multiIf(
    NOT (abs(own_time) >= 0), toDateTime64(0, 3, 'UTC'),
    fromUnixTimestamp64Milli(toInt64(least(greatest(if(abs(own_time) < 1e11, own_time * 1000, own_time), 0), 4e12)), 'UTC')) AS time,
  0 AS delta
FROM (
  SELECT
    *,
    if(name_text = 'cinch_scrape', ['', '', extract(sample, ' ([0-9]+)$'), ''],
      if(known, extractGroups(sample, $re$^([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*(?:\{{}[ \t]*((?:[a-zA-Z_][a-zA-Z0-9_]*[ \t]*=[ \t]*"(?:[^"\\]|\\.)*"[ \t]*,[ \t]*)*(?:[a-zA-Z_][a-zA-Z0-9_]*[ \t]*=[ \t]*"(?:[^"\\]|\\.)*"[ \t]*)?)\{}})?[ \t]+([^ \t#]+)(?:[ \t]+(-?[0-9.eE+]+))?[ \t]*(?:# .*)?$$re$), emptyArrayString())) AS parts,
    parts[3] AS value_text,
    extractAllGroupsVertical(parts[2], $re$([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"$re$) AS pairs,
    toFloat64OrDefault(if(scraped_ms = '', parts[4], scraped_ms), nan) AS own_time
  FROM (
    SELECT
      *,
      extract(sample, '^[a-zA-Z_:][a-zA-Z0-9_:]*') AS name_text,
      name_text IN ({metrics}) OR name_text = 'cinch_scrape' AS known,
      multiIf(length(line) > 65536, 'too_long', NOT isValidUTF8(line) OR position(line, '\0') > 0, 'not_utf8', name_text = '' AND NOT startsWith(sample, '#'), 'not_a_sample', '') AS line_reject_of_bytes
    FROM (
      SELECT
        *,
        if(match(line, '^[0-9]{13}\t'), splitByChar('\t', line, 3), emptyArrayString()) AS scrape,
        if(length(scrape) = 3, scrape[1], '') AS scraped_ms, if(length(scrape) = 3, scrape[2], '') AS target,
        if(length(scrape) = 3, scrape[3], line) AS sample
      FROM (SELECT * REPLACE (if(endsWith(line, '\r'), substring(line, 1, length(line) - 1), line) AS line) FROM ({lines}))
    )
  )
  WHERE sample != ''
)
