-- One row is a damaged piece of a container; without a `chunk` all of it, or a segment.
-- Try: select name, count(*) from fold.quarantined group by name;
create table fold.quarantined (
    name varchar,
    chunk blob,
    seq bigint
);
