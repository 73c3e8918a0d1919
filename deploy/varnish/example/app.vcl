# Varnish before several one-process servers, its cache unused: every request passes.
vcl 4.1;
import directors;

backend b8081 {
    .host = "127.0.0.1";
    .port = "8081";
    .connect_timeout = 2s;
    .first_byte_timeout = 60s;
    .between_bytes_timeout = 60s;
    .max_connections = 1000; # beyond: 503
    # Asked five times a second; one that does not answer is left out at once.
    .probe = {
        .request = "HEAD /healthz HTTP/1.1" "Host: 127.0.0.1" "Connection: close";
        .expected_response = 200;
        .interval = 200ms;
        .timeout = 1s;
        .window = 1;
        .threshold = 1;
        .initial = 1;
    }
}

backend b8082 {
    .host = "127.0.0.1";
    .port = "8082";
    .connect_timeout = 2s;
    .first_byte_timeout = 60s;
    .between_bytes_timeout = 60s;
    .max_connections = 1000; # beyond: 503
    # Asked five times a second; one that does not answer is left out at once.
    .probe = {
        .request = "HEAD /healthz HTTP/1.1" "Host: 127.0.0.1" "Connection: close";
        .expected_response = 200;
        .interval = 200ms;
        .timeout = 1s;
        .window = 1;
        .threshold = 1;
        .initial = 1;
    }
}

backend b8083 {
    .host = "127.0.0.1";
    .port = "8083";
    .connect_timeout = 2s;
    .first_byte_timeout = 60s;
    .between_bytes_timeout = 60s;
    .max_connections = 1000; # beyond: 503
    # Asked five times a second; one that does not answer is left out at once.
    .probe = {
        .request = "HEAD /healthz HTTP/1.1" "Host: 127.0.0.1" "Connection: close";
        .expected_response = 200;
        .interval = 200ms;
        .timeout = 1s;
        .window = 1;
        .threshold = 1;
        .initial = 1;
    }
}

backend b8084 {
    .host = "127.0.0.1";
    .port = "8084";
    .connect_timeout = 2s;
    .first_byte_timeout = 60s;
    .between_bytes_timeout = 60s;
    .max_connections = 1000; # beyond: 503
    # Asked five times a second; one that does not answer is left out at once.
    .probe = {
        .request = "HEAD /healthz HTTP/1.1" "Host: 127.0.0.1" "Connection: close";
        .expected_response = 200;
        .interval = 200ms;
        .timeout = 1s;
        .window = 1;
        .threshold = 1;
        .initial = 1;
    }
}

sub vcl_init {
    new app = directors.round_robin();
    app.add_backend(b8081);
    app.add_backend(b8082);
    app.add_backend(b8083);
    app.add_backend(b8084);
}

sub vcl_recv {
    set req.backend_hint = app.backend();
    # Overwritten, so that no client can forge them; Varnish extends X-Forwarded-For by itself.
    set req.http.X-Real-IP = client.ip;
    set req.http.X-Forwarded-Proto = "http";
    set req.http.X-Forwarded-Host = req.http.Host;
    if (req.http.Upgrade ~ "(?i)websocket") {
        return (pipe);
    }
    return (pass);
}

sub vcl_pipe {
    set bereq.http.Upgrade = req.http.Upgrade;
    set bereq.http.Connection = req.http.Connection;
}

sub vcl_backend_fetch {
    if (bereq.retries > 0) {
        set bereq.backend = app.backend();
    }
}

sub vcl_backend_error {
    # One more backend gets a GET that the first did not answer, and what has a body that did not
    # leave yet: Varnish cannot send a body twice, and says 503 where it would have to.
    if (bereq.retries < 1 && (bereq.method == "GET" || bereq.method == "HEAD"
            || bereq.http.Transfer-Encoding || bereq.http.Content-Length ~ "[1-9]")) {
        return (retry);
    }
}
