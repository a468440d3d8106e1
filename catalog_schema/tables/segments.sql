-- One row is one part of the index on shared storage that one commit added (chunks or recipes).
-- Try: select kind, sum(rows) from fold.segments group by kind;
create table fold.segments (
    seq bigint,
    kind varchar,
    key varchar,
    size bigint,
    digest varchar,
    rows bigint
);
