-- One row is one dataset that has a version outside the trash; sizes are those of the newest.
-- Try: select owner, count(*) as n, sum(bytes) / 1e9 as gb from datasets group by owner;
create view main.datasets as
with newest as (
    select
        dataset_id,
        count(*) as versions,
        max(number) as number
    from fold.versions
    where trashed_seq is null
    group by dataset_id
),
tagged as (
    select
        dataset_id,
        list(tag order by tag) as tags
    from fold.tags
    group by dataset_id
)
select
    d.name as name,
    d.description as description,
    d.owner as owner,
    coalesce(t.tags, []) as tags,
    d.name || '@v' || v.number as latest,
    n.versions as versions,
    v.files as files,
    v.bytes as bytes,
    d.created_at as created_at,
    d.updated_at as updated_at,
    v.message as last_message
from fold.datasets d
join newest n on n.dataset_id = d.id
join fold.versions v on v.dataset_id = d.id and v.number = n.number
left join tagged t on t.dataset_id = d.id;
