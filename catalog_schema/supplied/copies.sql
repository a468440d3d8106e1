-- One row is one working copy whose owner shares it: who has which version where.
-- Try: select person, ref, host, path from copies where name = 'cmr' order by last_seen desc;
create temp view copies as
select
    c.ref as ref,
    c.name as name,
    c.version as version,
    c.person as person,
    c.host as host,
    c.path as path,
    c.linked as linked,
    c.partial as partial,
    c.pulled_at as pulled_at,
    c.last_seen as last_seen
from temp.registered_copies c;
