-- One row is one thing that somebody did; pulls, as far as they are shared, have no `seq`.
-- Try: select happened_at, person, action, ref from activity order by happened_at desc limit 20;
create temp view activity as
select
    seq,
    happened_at,
    person,
    host,
    action,
    ref,
    name,
    detail
from catalog.main.activity
union all
select
    null as seq,
    c.pulled_at as happened_at,
    c.person as person,
    c.host as host,
    'pulled' as action,
    c.ref as ref,
    c.name as name,
    c.path as detail
from temp.registered_copies c
where c.pulled_at is not null and c.person is not null;
