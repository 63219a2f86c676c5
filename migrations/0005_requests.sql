-- Requests of senders that are in the store, so that one whose answer was lost, and which is sent again, counts once.
-- Owner: collector. What is kept is a digest of sender, source and bytes, and what became of it, for the answer to the repetition.
-- ORDER BY: read once, at the start of a collector: those of the last hour.
-- TTL: senders repeat for minutes; a day leaves room to look at what happened.
CREATE TABLE IF NOT EXISTS received_request {on_cluster} (
  received DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)), request FixedString(16) CODEC(NONE),
  accepted UInt32 CODEC(T64, ZSTD(1)), rejected UInt32 CODEC(T64, ZSTD(1))
) ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMMDD(received) ORDER BY received TTL received + INTERVAL 1 DAY
SETTINGS ttl_only_drop_parts = 1, {dedup};

-- The SPIFFE ID of a sender that shows itself by its certificate (mutual TLS) instead of a token.
ALTER TABLE sender {on_cluster} ADD COLUMN IF NOT EXISTS spiffe String;
