-- One row is one name on shared storage that gc condemned; `swept_seq` once it was deleted.
-- Try: select count(*) from fold.condemned where swept_seq is null;
create table fold.condemned (
    name varchar,
    seq bigint,
    swept_seq bigint
);
