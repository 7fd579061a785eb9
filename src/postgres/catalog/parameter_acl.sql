SELECT 'parameter', p.parname, 10::pg_catalog.oid, p.paracl FROM pg_catalog.pg_parameter_acl p
