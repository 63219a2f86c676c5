-- A part of some 70 columns as a file each for data, marks and dictionaries is 250 files: a quarter of what inserting a chunk
-- cost was making them. Parts stay in one file until merging has made them this large (256 MiB unpacked).
ALTER TABLE request {on_cluster} MODIFY SETTING min_bytes_for_wide_part = 268435456;
