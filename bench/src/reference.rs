//! The reference servers that tenantry is compared with, and the preload of its database:
//! - `reference ceiling`: a server with a constant answer, the most that HTTP allows on this machine
//! - `reference prototype DATABASE MEMBERS`: a minimal server over SQLite
//! - `reference preload DATABASE MEMBERS`: adds members to tenantry's database

mod preload;
mod prototype;

use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::get;
use axum::serve::ListenerExt;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The size of the constant answer in bytes.
const CONSTANT: usize = 330;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let router = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["ceiling"] => ceiling(),
        ["prototype", path, members] => prototype::routes((*path).to_owned(), members.parse()?)?,
        ["preload", path, members] => return preload::members(path, members.parse()?),
        _ => {
            return Err(
                "usage: reference ceiling | prototype DATABASE MEMBERS | preload DATABASE MEMBERS".into()
            );
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await?;
    Ok(())
}

fn ceiling() -> Router {
    let padding = "x".repeat(CONSTANT - r#"{"name":""}"#.len());
    let body = Bytes::from(format!(r#"{{"name":"{padding}"}}"#));
    let constant = || async move { ([(header::CONTENT_TYPE, "application/json")], body) };
    Router::new().route("/constant", get(constant))
}
