-- The rollups that 0007 replaced. Owner: none any more.
DROP TABLE IF EXISTS edge_day {on_cluster};
DROP TABLE IF EXISTS edge_hour {on_cluster};
DROP TABLE IF EXISTS operation_hour {on_cluster};
