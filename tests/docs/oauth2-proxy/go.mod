module kairos-id/tests/oauth2-proxy

go 1.25

require github.com/oauth2-proxy/oauth2-proxy/v7 v7.15.4
