-- One row is one metric of a dataset of which somebody said whether `min` or `max` is better.
-- Try: select key, better from fold.directions;
create table fold.directions (
    dataset_id bigint,
    key varchar,
    better varchar
);
