module tenantry.test/clients/go

go 1.19
