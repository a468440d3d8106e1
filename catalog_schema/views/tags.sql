-- One row is one tag of one dataset.
-- Try: select tag, count(*) as datasets from tags group by tag order by 2 desc;
create view main.tags as
select
    d.name as name,
    t.tag as tag
from fold.tags t
join fold.datasets d on d.id = t.dataset_id;
