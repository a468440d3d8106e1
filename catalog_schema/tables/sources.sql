-- One row is one version that another was made from; `ordinal` keeps the order that was given.
-- Try: select count(*) from fold.sources;
create table fold.sources (
    dataset_id bigint,
    number bigint,
    ordinal bigint,
    source_id bigint,
    source_number bigint
);
