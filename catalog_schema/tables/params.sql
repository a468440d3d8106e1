-- One row is one parameter of one version; `value` is JSON, `as_number` its number if it is one.
-- Try: select key, count(*) from fold.params group by key;
create table fold.params (
    dataset_id bigint,
    number bigint,
    key varchar,
    value varchar,
    as_number double
);
