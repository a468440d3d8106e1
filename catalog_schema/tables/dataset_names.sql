-- One row is one name that a dataset has or once had: both find it.
-- Try: select name from fold.dataset_names where dataset_id = 2;
create table fold.dataset_names (
    name varchar,
    dataset_id bigint,
    seq bigint
);
