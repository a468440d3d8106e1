-- One row is one thing that somebody did, under the name that the dataset has today.
-- Try: select happened_at, person, action, ref from activity order by seq desc limit 20;
create view main.activity as
select
    r.seq as seq,
    r.happened_at as happened_at,
    r.person as person,
    r.host as host,
    case r.op
        when 'store.create' then 'created'
        when 'version.add' then 'saved'
        when 'version.remove' then 'removed'
        when 'version.restore' then 'restored'
        when 'alias.set' then 'alias'
        when 'dataset.edit' then 'edited'
        when 'dataset.rename' then 'renamed'
        when 'containers.condemn' then 'condemned'
        when 'containers.swept' then 'freed'
        when 'object.quarantine' then 'quarantined'
        when 'object.relocate' then 'mended'
        else r.op
    end as action,
    coalesce(d.name, '') || coalesce(r.suffix, '') as ref,
    d.name as name,
    r.detail as detail
from fold.records r
left join fold.datasets d on d.id = r.dataset_id
where r.void is null;
