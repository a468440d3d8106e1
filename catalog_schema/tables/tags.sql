-- One row is one tag of one dataset.
-- Try: select tag, count(*) from fold.tags group by tag;
create table fold.tags (
    dataset_id bigint,
    tag varchar
);
