-- Shapes that are not seen any more go with the last of the chains that had them: each is written anew whenever it is counted.
-- Owner: analyzer, which keeps so many at most.
ALTER TABLE chain_shape {on_cluster} ADD COLUMN IF NOT EXISTS written Date DEFAULT today();
ALTER TABLE chain_shape {on_cluster} MODIFY TTL written + INTERVAL 400 DAY SETTINGS materialize_ttl_after_modify = 0;
