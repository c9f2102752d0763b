// Package clients sends requests to a real tenantry server in the form that Go clients of both APIs send.
//
// The published Go clients are NOT used. Every request is written by hand, with the method, path, headers and
// body that the API descriptions and the clients' sources give. So these tests check the wire format, not the
// code of a client. They need Go 1.19 or later and the standard library alone.
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

// The server under test and its organizations, set once by TestMain.
var (
	base          string // the address of the server
	organization  string // the organization's id, which is also its account id
	fullToken     string // holds every scope
	readOnlyToken string // holds scopes to read accounts and members
	otherToken    string // belongs to another organization
	commandLine   func(arguments ...string) map[string]any
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
	startDeadline := time.AfterFunc(30*time.Second, func() { _ = server.Process.Kill() })
	lines := bufio.NewReader(output)
	for base == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			_ = server.Wait()
			fmt.Fprintln(os.Stderr, "the server ended before it was ready")
			return 1
		}
		if line = strings.TrimSpace(line); strings.HasPrefix(line, readyPrefix) {
			base = strings.TrimPrefix(line, readyPrefix)
		}
	}
	startDeadline.Stop()
	outputClosed := make(chan struct{})
	go func() {
		defer close(outputClosed)
		_, _ = io.Copy(io.Discard, lines)
	}()

	commandLine = func(arguments ...string) map[string]any {
		return runCommand(program, append(append(arguments, "--json"), options...)...)
	}
	code := 1
	func() {
		defer func() {
			if failure := recover(); failure != nil {
				fmt.Fprintln(os.Stderr, failure)
			}
		}()
		createOrganizations()
		code = m.Run()
	}()

	stopDeadline := time.AfterFunc(30*time.Second, func() { _ = server.Process.Kill() })
	defer stopDeadline.Stop()
	must(server.Process.Signal(syscall.SIGTERM))
	<-outputClosed
	if err := server.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "the server did not exit with status 0:", err)
		return 1
	}
	return code
}

// database creates a database and returns the options that name it: a SQLite file in the directory or, when
// $TENANTRY_TEST_ENGINE is postgres, a database on the server of $TENANTRY_TEST_POSTGRES. That server is
// temporary (see ../../postgres.sh), so the database is not dropped.
func database(directory string) []string {
	if os.Getenv("TENANTRY_TEST_ENGINE") != "postgres" {
		return []string{"--database", "sqlite:" + filepath.Join(directory, "tenantry.db")}
	}
	output, err := exec.Command("python3", "../../lib/new_database.py").Output()
	must(err)
	url := strings.TrimSpace(string(output))
	return []string{"--database", url, "--secret-key-file", filepath.Join(directory, "tenantry.key")}
}

func createOrganizations() {
	createOrganization := func(slug, owner string) string {
		return commandLine("organization", "create", "--name", slug, "--slug", slug, "--owner-email", owner,
			"--feature", "member_model_enabled", "--feature", "seat_based_pricing_enabled")["id"].(string)
	}
	organization = createOrganization("go-wire", "owner@example.com")
	createOrganization("go-other", "other-owner@example.com")
	fullToken = commandLine("token", "create", "--organization", organization, "--all-scopes")["token"].(string)
	otherToken = commandLine("token", "create", "--organization", "go-other", "--all-scopes")["token"].(string)
	readOnlyToken = commandLine("token", "create", "--organization", organization, "--scope", "accounts:read",
		"--scope", "accounts:members:read", "--scope", "members:read")["token"].(string)
}

// runCommand runs an administrative command and decodes its JSON output. It panics when the command fails.
func runCommand(program string, arguments ...string) map[string]any {
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

// answer is a response that was read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// request is one request. An empty token sends no Authorization header, an empty key no Idempotency-Key.
type request struct {
	method, path, token, key string
	body                     any // nil: no body; a string: sent as it is; anything else: sent as JSON
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
	// A redirect is returned as the answer, not followed.
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

// decode parses a JSON body. Fields that the type does not have are ignored.
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

// fields returns the members of a JSON object, unparsed.
func fields(t *testing.T, a answer) map[string]json.RawMessage {
	t.Helper()
	return decode[map[string]json.RawMessage](t, a)
}
