-- One row is one metric of one version; `value` is JSON, `as_number` its number if it is one.
-- Try: select key, count(*) from fold.metrics group by key;
create table fold.metrics (
    dataset_id bigint,
    number bigint,
    key varchar,
    value varchar,
    as_number double
);
