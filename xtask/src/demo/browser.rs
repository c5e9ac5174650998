//! A browser without windows: it follows links, fills in forms and keeps cookies, on this machine only.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::PASSWORD;
use crate::TaskError;

pub(super) struct Browser {
    address: String,
    cookies: BTreeMap<String, String>,
}

struct Page {
    path: String,
    html: String,
}

impl Browser {
    pub(super) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// Opens the link of a machine, signs in if asked to, and lets the machine in.
    pub(super) fn decide(&mut self, link: &str, trust: bool) -> Result<(), TaskError> {
        let mut page = self.open("GET", link, "")?;
        if page.path.starts_with("/login") {
            say(&page);
            println!("  │ [default] [••••••••]  ‹Sign in›");
            let fields = [
                ("csrf", page.hidden("csrf")?),
                ("next", page.hidden("next")?),
                ("username", "default".to_owned()),
            ];
            let form = form(&fields) + "&password=" + PASSWORD;
            page = self.open("POST", "/login", &form)?;
        }
        say(&page);
        println!(
            "  │ [{}] Trust this device   ‹Approve›",
            if trust { "x" } else { " " }
        );
        let mut fields = vec![
            ("csrf", page.hidden("csrf")?),
            ("device_id", page.hidden("device_id")?),
            ("user_code", page.hidden("user_code")?),
            ("decision", "approve".to_owned()),
        ];
        if trust {
            fields.push(("trusted", "yes".to_owned()));
        }
        let done = self.open("POST", "/devices/verify/decision", &form(&fields))?;
        say(&done);
        if done.html.contains("Device approved") {
            Ok(())
        } else {
            Err("the device was not approved".into())
        }
    }

    fn open(&mut self, method: &str, path: &str, body: &str) -> Result<Page, TaskError> {
        let (mut method, mut path, mut body) = (method.to_owned(), path.to_owned(), body.to_owned());
        for _ in 0..5 {
            let answer = self.send(&method, &path, &body)?;
            let (head, html) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
            for line in head.lines() {
                let Some((name, value)) = line.split_once(':') else {
                    continue;
                };
                if name.eq_ignore_ascii_case("set-cookie") {
                    let pair = value.trim().split(';').next().unwrap_or_default();
                    if let Some((name, value)) = pair.split_once('=') {
                        self.cookies.insert(name.to_owned(), value.to_owned());
                    }
                }
            }
            let location = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("location")
                    .then(|| value.trim().to_owned())
            });
            match location {
                Some(next) => (method, path, body) = ("GET".to_owned(), next, String::new()),
                None => {
                    return Ok(Page {
                        path,
                        html: html.to_owned(),
                    });
                }
            }
        }
        Err("too many redirections".into())
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Result<String, TaskError> {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            cookies.join("; "),
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Page {
    /// The value of a hidden field.
    fn hidden(&self, name: &str) -> Result<String, TaskError> {
        let marker = format!("name=\"{name}\" value=\"");
        let after = self
            .html
            .split(&marker)
            .nth(1)
            .ok_or_else(|| format!("the page has no field {name}"))?;
        // What stands in these fields has no other escapes.
        Ok(after
            .split('"')
            .next()
            .unwrap_or_default()
            .replace("&#38;", "&")
            .replace("&amp;", "&"))
    }
}

fn form(fields: &[(&str, String)]) -> String {
    let encode = |text: &str| {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect::<String>()
    };
    fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Shows a page's text, as far as a terminal can.
fn say(page: &Page) {
    let main = page
        .html
        .split("<main>")
        .nth(1)
        .and_then(|rest| rest.split("</main>").next())
        .unwrap_or_default();
    let mut text = String::new();
    let mut in_tag = false;
    for character in main.replace("</dt>", ": ").replace("</h1>", "\n").chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            other if !in_tag => text.push(other),
            _ => {}
        }
    }
    println!("  ┌ browser");
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        println!("  │ {line}");
    }
}
