// Package clients asks a real tenantry server what Go programs ask it.
//
// The published Go clients are NOT used here: every request is written by hand, in the
// shape that the two APIs' descriptions and clients' sources give (method, path, headers,
// body). So these tests hold the wire to its word; they say nothing about a client's code.
// They need the standard library alone.
package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const readyPrefix = "listening on "

// What every test talks to; set once by TestMain.
var (
	base         string
	organization string // its id is also the account id
	allScopes    string // a token that holds every scope
	readOnly     string // a token that may only read
	foreign      string // a token of another organization
	commandLine  func(arguments ...string) map[string]any
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	program := os.Getenv("TENANTRY_BIN")
	if program == "" {
		program = "../../../target/release/tenantry"
	}
	program, err := filepath.Abs(program)
	must(err)
	if _, err := os.Stat(program); err != nil {
		fmt.Fprintln(os.Stderr, "no program to test: build it, or set TENANTRY_BIN:", err)
		return 1
	}
	directory, err := os.MkdirTemp("", "tenantry-go-")
	must(err)
	defer os.RemoveAll(directory)
	options := database(directory)

	server := exec.Command(program, append([]string{"serve", "--listen", "127.0.0.1:0",
		"--bootstrap", "false", "--rate-limit", "off"}, options...)...)
	server.Stderr = os.Stderr
	output, err := server.StdoutPipe()
	must(err)
	must(server.Start())
	overdue := time.AfterFunc(30*time.Second, func() { _ = server.Process.Kill() })
	lines := bufio.NewReader(output)
	for base == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			_ = server.Wait()
			fmt.Fprintln(os.Stderr, "the server ended before it was ready")
			return 1
		}
		if address, isReady := strings.CutPrefix(strings.TrimSpace(line), readyPrefix); isReady {
			base = address
		}
	}
	overdue.Stop()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, lines)
	}()

	commandLine = func(arguments ...string) map[string]any {
		return command(program, append(append(arguments, "--json"), options...)...)
	}
	code := 1
	func() {
		defer func() {
			if failure := recover(); failure != nil {
				fmt.Fprintln(os.Stderr, failure)
			}
		}()
		prepare()
		code = m.Run()
	}()

	overdue = time.AfterFunc(30*time.Second, func() { _ = server.Process.Kill() })
	defer overdue.Stop()
	must(server.Process.Signal(syscall.SIGTERM))
	<-drained
	if err := server.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "the server did not end well:", err)
		return 1
	}
	return code
}

// database gives the options that name a new one: a file in the folder or, when $TENANTRY_TEST_ENGINE is
// postgres, one on the server of $TENANTRY_TEST_POSTGRES (see ../../postgres.sh), which goes with the server.
func database(directory string) []string {
	if os.Getenv("TENANTRY_TEST_ENGINE") != "postgres" {
		return []string{"--database", "sqlite:" + filepath.Join(directory, "tenantry.db")}
	}
	name := fmt.Sprintf("test_go_%d_%d", os.Getpid(), time.Now().UnixNano())
	url := func(of string) string {
		return strings.Replace(os.Getenv("TENANTRY_TEST_POSTGRES"), "/?", "/"+of+"?", 1)
	}
	must(exec.Command("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-c", "CREATE DATABASE "+name, url("postgres")).Run())
	return []string{"--database", url(name), "--secret-key-file", filepath.Join(directory, "tenantry.key")}
}

func prepare() {
	create := func(slug, owner string) string {
		return commandLine("organization", "create", "--name", slug, "--slug", slug, "--owner-email", owner,
			"--feature", "member_model_enabled", "--feature", "seat_based_pricing_enabled")["id"].(string)
	}
	organization = create("go-wire", "owner@example.com")
	create("go-foreign", "stranger@example.com")
	allScopes = commandLine("token", "create", "--organization", organization, "--all-scopes")["token"].(string)
	foreign = commandLine("token", "create", "--organization", "go-foreign", "--all-scopes")["token"].(string)
	readOnly = commandLine("token", "create", "--organization", organization, "--scope", "accounts:read",
		"--scope", "accounts:members:read", "--scope", "members:read")["token"].(string)
}

func command(program string, arguments ...string) map[string]any {
	output, err := exec.Command(program, arguments...).Output()
	if err != nil {
		detail := ""
		if exit, isExit := err.(*exec.ExitError); isExit {
			detail = string(exit.Stderr)
		}
		panic(fmt.Sprintf("%s: %v: %s", strings.Join(arguments, " "), err, detail))
	}
	var answer map[string]any
	must(json.Unmarshal(output, &answer))
	return answer
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// request is one call; an empty token sends no Authorization header.
type request struct {
	method, path, token, key string
	body                     any // a string is sent as it stands
}

func (r request) send(t *testing.T) answer {
	t.Helper()
	var body io.Reader
	switch content := r.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(content)
	default:
		encoded, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		body = bytes.NewReader(encoded)
	}
	sent, err := http.NewRequest(r.method, base+r.path, body)
	if err != nil {
		t.Fatal(err)
	}
	sent.Header.Set("Accept", "application/json")
	if body != nil {
		sent.Header.Set("Content-Type", "application/json")
	}
	if r.token != "" {
		sent.Header.Set("Authorization", "Bearer "+r.token)
	}
	if r.key != "" {
		sent.Header.Set("Idempotency-Key", r.key)
	}
	// A redirect is an answer here, not something to follow.
	client := http.Client{Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	received, err := client.Do(sent)
	if err != nil {
		t.Fatal(err)
	}
	defer received.Body.Close()
	content, err := io.ReadAll(received.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{received.StatusCode, received.Header, content}
}

// expect fails the test unless the answer has this status.
func (a answer) expect(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("expected %d, got %d: %s", status, a.status, a.body)
	}
	return a
}

// decode reads the body into a value that knows every field of it.
func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var value T
	if !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Fatalf("expected JSON, got %q: %s", a.header.Get("Content-Type"), a.body)
	}
	if err := json.Unmarshal(a.body, &value); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return value
}

// fields gives the names at the top of a JSON object.
func fields(t *testing.T, a answer) map[string]json.RawMessage {
	t.Helper()
	return decode[map[string]json.RawMessage](t, a)
}
