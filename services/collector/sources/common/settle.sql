-- What holds for every source: a sender's registration caps the evidence that it can give and says for whom it may speak, and
-- the line itself goes on only where it is rejected, without its secrets.
SELECT * REPLACE (if(reject_reason != '', {redacted}, '') AS line)
FROM (
  SELECT
    * REPLACE (
      CAST(least(CAST(source_evidence, 'Enum8(\'none\' = 0, \'claimed\' = 1, \'address\' = 2, \'joined\' = 3, \'verified\' = 4)'), evidence_cap), 'Enum8(\'none\' = 0, \'claimed\' = 1, \'address\' = 2, \'joined\' = 3, \'verified\' = 4)') AS source_evidence,
      if(reject_reason = '' AND speaks_for != '' AND NOT match(concat(reporter_namespace, '/', reporter_workload), speaks_for), 'sender_may_not', reject_reason) AS reject_reason)
  FROM ({facts})
)
