use std::io::Write;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpListener;

use super::*;

const FROM: &str = "Tenantry <no-reply@bücher.example>";

fn message(to: &str, subject: &str) -> Message {
    Message {
        to: EmailAddress::parse(to).unwrap(),
        sender: None,
        subject: subject.to_owned(),
        text: "Your token: tok_123\n.\nBye\n".to_owned(),
        html: "<p>Your token: tok_123</p>".to_owned(),
    }
}

async fn written(id: &str, message: &Message, from: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mailer = Mailer::Directory(directory.path().join("out"));
    mailer.send(id, message, from).await.unwrap();
    std::fs::read_to_string(directory.path().join("out").join(format!("{id}.eml"))).unwrap()
}

#[tokio::test]
async fn a_file_contains_the_whole_mail_with_a_stable_message_id() {
    let mail = written("0190a3c2-7b1e", &message("Ada@bücher.example", "Hello"), FROM).await;
    let head = mail.split_once("\r\n\r\n").unwrap().0;
    for line in [
        "From: Tenantry <no-reply@xn--bcher-kva.example>",
        "To: Ada@xn--bcher-kva.example",
        "Subject: Hello",
        "Message-ID: <0190a3c2-7b1e@xn--bcher-kva.example>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(head.lines().any(|found| found == line), "{line} in\n{head}");
    }
    let text = mail.find("Content-Type: text/plain; charset=utf-8").unwrap();
    let html = mail.find("Content-Type: text/html; charset=utf-8").unwrap();
    assert!(text < html);
    assert_eq!(mail.matches("tok_123").count(), 2);
}

#[tokio::test]
async fn the_name_of_a_sender_replaces_the_operators_and_not_the_address() {
    for (name, shown) in [
        ("Blumenhaus", "From: Blumenhaus <no-reply@xn--bcher-kva.example>"),
        (
            "A, \"B\" <eve@x.dev>",
            "From: =?utf-8?b?QSwgIkIiIDxldmVAeC5kZXY+?= <no-reply@xn--bcher-kva.example>",
        ),
    ] {
        let message = Message { sender: Some(name.to_owned()), ..message("ada@x.dev", "Hello") };
        let mail = written("0190a3c2-7b1f", &message, FROM).await;
        let head = mail.split_once("\r\n\r\n").unwrap().0;
        assert!(head.lines().any(|found| found == shown), "{shown} in\n{head}");
    }
}

#[tokio::test]
async fn a_line_break_in_the_name_of_a_sender_adds_no_header() {
    let message = Message { sender: Some("A\r\nBcc: eve@x.dev".to_owned()), ..message("ada@x.dev", "Hello") };
    let mail = written("a", &message, FROM).await;
    let head = mail.split_once("\r\n\r\n").unwrap().0;
    assert!(!head.split(['\r', '\n']).any(|line| line.starts_with("Bcc")), "{head}");
    let from: Vec<&str> = head.lines().filter(|line| line.starts_with("From: ")).collect();
    assert!(from.len() == 1 && from[0].ends_with(" <no-reply@xn--bcher-kva.example>"), "{head}");
}

#[tokio::test]
async fn a_line_break_in_a_name_adds_no_header() {
    for subject in
        ["Hi\r\nBcc: eve@x.dev", "Hi\nBcc: eve@x.dev", "Hi\rBcc: eve@x.dev", "Hé\r\nBcc: eve@x.dev\r\n"]
    {
        let from = "\"Ten\r\nBcc: eve@x.dev\" <no-reply@x.dev>";
        let mail = written("a", &message("ada@x.dev", subject), from).await;
        let head = mail.split_once("\r\n\r\n").unwrap().0;
        assert!(!head.split(['\r', '\n']).any(|line| line.starts_with("Bcc")), "{head}");
        assert_eq!(head.matches("\r\n").count(), head.matches('\n').count());
    }
}

#[tokio::test]
async fn a_name_is_not_read_as_an_encoded_word() {
    let word = "=?utf-8?b?aHR0cHM6Ly9ldmlsLmV4YW1wbGU=?=";
    let hidden = "=\u{200b}?utf-8?q?https=3A//evil?=";
    for subject in
        [format!("Team of {word}"), format!("Team of Z\u{fc}rich {word} {word}"), hidden.to_owned()]
    {
        let from = format!("\"{word}\" <no-reply@x.dev>");
        let mail = written("a", &message("ada@x.dev", &subject), &from).await;
        let head = mail.split_once("\r\n\r\n").unwrap().0.replace("\r\n ", " ");
        // What is encoded is what the mail library encoded itself: base64 of UTF-8.
        for (at, _) in head.match_indices("=?") {
            let parts: Vec<&str> = head[at + 2..].split('?').take(3).collect();
            if let [_, "b" | "B" | "q" | "Q", text] = parts[..] {
                assert!(!text.starts_with("aHR0cHM6Ly9ldmls"), "{head}");
            }
        }
        assert!(!head.contains("=?utf-8?q?"), "{head}");
    }
}

#[tokio::test]
async fn a_file_is_replaced_atomically_and_readable_by_its_owner_alone() {
    let directory = tempfile::tempdir().unwrap();
    let mailer = Mailer::Directory(directory.path().to_path_buf());
    for subject in ["First and longer", "Second"] {
        mailer.send("same", &message("ada@x.dev", subject), FROM).await.unwrap();
    }
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["same.eml"]);
    let path = directory.path().join("same.eml");
    assert!(std::fs::read_to_string(&path).unwrap().contains("Subject: Second\r\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn an_invalid_id_or_sender_is_a_permanent_error() {
    let directory = tempfile::tempdir().unwrap();
    let mailer = Mailer::Directory(directory.path().join("out"));
    let long = "a".repeat(129);
    for id in ["", ".", "..", "../a", "a/b", "a\\b", "a b", "a\r\nb", "é", &long] {
        let error = mailer.send(id, &message("ada@x.dev", "Hi"), FROM).await.unwrap_err();
        assert!(error.permanent, "{id}");
    }
    for from in ["", "nobody", "a@x.dev, b@x.dev"] {
        let error = mailer.send("a", &message("ada@x.dev", "Hi"), from).await.unwrap_err();
        assert!(error.permanent, "{from}");
    }
    assert!(!directory.path().join("out").exists());
}

#[tokio::test]
async fn an_unwritable_directory_is_a_transient_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mailer = Mailer::Directory(file.path().join("out"));
    assert!(!mailer.send("a", &message("ada@x.dev", "Hi"), FROM).await.unwrap_err().permanent);
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_contains_recipient_and_subject_alone() {
    let log = Written::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    Mailer::Log.send("a", &message("ada@x.dev", "Hi\r\nthere"), FROM).await.unwrap();
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("ada@x.dev") && text.contains("Hi there"), "{text}");
    assert!(!text.contains("tok_123"), "{text}");
}

/// A mail server that answers `command` with `reply`; returns the lines that it received.
async fn server(listener: TcpListener, command: &str, reply: &str) -> Vec<String> {
    serve(listener.accept().await.unwrap().0, command, reply).await
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, command: &str, reply: &str) -> Vec<String> {
    let mut stream = BufReader::new(stream);
    let mut received = Vec::new();
    let mut in_data = false;
    stream.write_all(b"220 mail.test\r\n").await.unwrap();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return received;
        }
        let line = line.trim_end().to_owned();
        let answer = match line.split(' ').next().unwrap() {
            "." if in_data => {
                in_data = false;
                "250 taken"
            }
            _ if in_data => "",
            verb if verb == command => reply,
            "EHLO" => "250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN",
            "AUTH" => "235 welcome",
            "DATA" => {
                in_data = true;
                "354 go on"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        received.push(line);
        // The client closes the connection after an error.
        if !answer.is_empty() && stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
            return received;
        }
    }
}

/// A mailer for the URL, without other options.
fn smtp(url: &str) -> Result<Mailer, MailError> {
    Mailer::smtp(&SmtpOptions { url, from: FROM, ehlo: None, roots: &[] })
}

/// Sends one message to a server that answers `command` with `reply`.
async fn sent(query: &str, command: &str, reply: &str) -> (Result<(), MailError>, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mailer = smtp(&format!("smtp://ada:p%40ss@127.0.0.1:{port}{query}")).unwrap();
    let message = message("ada@bücher.example", "Hi");
    tokio::join!(mailer.send("id-1", &message, FROM), server(listener, command, reply))
}

#[tokio::test]
async fn smtp_sends_the_mail() {
    let (outcome, received) = sent("", "", "").await;
    assert_eq!(outcome, Ok(()));
    assert_eq!(received[0], "EHLO xn--bcher-kva.example");
    for line in [
        "AUTH PLAIN AGFkYQBwQHNz",
        "MAIL FROM:<no-reply@xn--bcher-kva.example>",
        "RCPT TO:<ada@xn--bcher-kva.example>",
        "Message-ID: <id-1@xn--bcher-kva.example>",
        "..",
    ] {
        assert!(received.iter().any(|found| found.starts_with(line)), "{line} in {received:#?}");
    }
}

#[tokio::test]
async fn a_rejection_of_the_message_alone_is_permanent() {
    for (command, reply, permanent) in [
        ("RCPT", "550 no such person", true),
        ("RCPT", "451 later", false),
        ("MAIL", "553 not this sender", true),
        ("DATA", "452 full", false),
        ("AUTH", "535 wrong password", false),
        ("MAIL", "530 who are you", false),
    ] {
        let (outcome, _) = sent("", command, reply).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.permanent, permanent, "{command} {reply}: {error}");
        assert!(!error.reason.contains("p@ss") && !error.reason.contains("tok_123"), "{error}");
    }
}

#[tokio::test]
async fn nothing_is_sent_when_required_encryption_is_missing() {
    let (outcome, received) = sent("?tls=required", "", "").await;
    assert!(!outcome.unwrap_err().permanent);
    assert!(
        !received.iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")),
        "{received:?}"
    );
}

#[test]
fn the_error_of_an_invalid_url_does_not_repeat_the_url() {
    for url in ["http://ada:secret@host", "smtp://ada:secret@host?tls=maybe", "ada:secret@host", ""] {
        let error = smtp(url).unwrap_err();
        assert!(error.permanent && !error.reason.contains("secret"), "{error:?}");
    }
    let mailer = smtp("smtps://ada:secret@host").unwrap();
    assert_eq!(format!("{mailer:?}"), "Smtp");
}

/// The name in the EHLO command of a mailer with these options.
async fn greeting(ehlo: Option<&str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let mailer = Mailer::smtp(&SmtpOptions { url: &url, from: FROM, ehlo, roots: &[] }).unwrap();
    let message = message("ada@x.dev", "Hi");
    let (outcome, received) = tokio::join!(mailer.send("id-1", &message, FROM), server(listener, "", ""));
    outcome.unwrap();
    received[0].clone()
}

#[tokio::test]
async fn the_name_for_ehlo_is_the_option_or_the_domain_of_the_sender() {
    assert_eq!(greeting(None).await, "EHLO xn--bcher-kva.example");
    assert_eq!(greeting(Some("option.test")).await, "EHLO option.test");
}

/// Sends one message over `smtps` to a server with a private certificate.
async fn send_encrypted(trusts_the_server: bool) -> Result<(), MailError> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtps://localhost:{}", listener.local_addr().unwrap().port());
    let roots = if trusts_the_server { vec![certificate] } else { Vec::new() };
    let mailer = Mailer::smtp(&SmtpOptions { url: &url, from: FROM, ehlo: None, roots: &roots }).unwrap();
    let message = message("ada@x.dev", "Hi");
    let serving = async {
        if let Ok(stream) = acceptor.accept(listener.accept().await.unwrap().0).await {
            serve(stream, "", "").await;
        }
    };
    tokio::join!(mailer.send("id-1", &message, FROM), serving).0
}

#[tokio::test]
async fn a_private_certificate_authority_is_trusted_when_it_is_given() {
    assert_eq!(send_encrypted(true).await, Ok(()));
    let error = send_encrypted(false).await.unwrap_err();
    assert!(error.reason.contains("certificate"), "{error}");
}
