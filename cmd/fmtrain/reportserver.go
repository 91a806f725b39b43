package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"fmtrain/internal/report"
)

// anyPort is the address of a server without one: any free port of this machine.
const anyPort = "127.0.0.1:0"

// serveReport serves the page until the context ends.
func serveReport(ctx context.Context, s streams, address string, r *reporter) error {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return usageError{fmt.Errorf("--serve: expected an address such as 127.0.0.1:8080, found %.100q", address)}
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("--serve %s: %w", address, err)
	}
	handler := report.NewHandler(host, r.stamp, r.page)
	if err := handler.Make(); err != nil { // so that a run that can't be read is an error of the command
		listener.Close()
		return err
	}
	server := &http.Server{
		Handler: handler, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	say(s.out, "The report is at http://%s/ until Ctrl-C\n", listener.Addr())
	stopped := context.AfterFunc(ctx, func() { server.Close() })
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
