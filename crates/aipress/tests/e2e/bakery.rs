//! The walk of a customer: a site, its login link, a post, an image; and again after a restart.

use aipress_testkit::Answer;
use aipress_testkit::Browser;
use aipress_testkit::PNG;
use aipress_testkit::Platform;

use crate::options;

const TITLE: &str = "Crumbs Bakery";

#[tokio::test]
async fn a_site_from_one_command_is_real_wordpress_and_so_it_is_after_down_and_up() {
    let platform = Platform::start(options()).await;
    let told = platform
        .cli(&["tenant", "create", "bakery", "--title", TITLE, "--tier", "silver"])
        .await
        .good();
    for step in ["take a slot", "make the database", "lay out the files", "start serving"] {
        assert!(told.err.contains(step), "step `{step}` in {}", told.err);
    }
    let url = told.url("bakery.localhost");
    assert_eq!(url, format!("http://{}", platform.visitor("bakery").host()));
    assert_eq!(platform.tenant("bakery").await["spec"]["tier"], "silver");
    let page = platform.visitor("bakery").get("/").await.with_status(200);
    assert_eq!(page.title(), TITLE);
    assert!(page.text().contains("/wp-content/themes/") || page.text().contains("wp-block"));

    let link = told.url("aipress_login=");
    let mut admin = the_login_link_logs_in_once(&platform, &link).await;
    let post = admin.publish("Rye bread").await;
    let image = admin.upload("loaf.png", PNG).await;

    the_post_is_there(&platform, &post).await;
    the_image_is_served_as_a_static_file(&platform, &image).await;
    the_posts_page_knows_its_visitor(&platform, &mut admin.browser).await;

    platform.down().await;
    platform.up().await.good();
    assert_eq!(platform.visitor("bakery").get("/").await.with_status(200).title(), TITLE);
    the_post_is_there(&platform, &post).await;
    the_image_is_served_as_a_static_file(&platform, &image).await;
    // The session of before is one still, and a new link is one, too.
    admin.browser.get("/wp-admin/").await.with_status(200);
    let link = platform.cli(&["tenant", "login", "bakery"]).await.good().url("aipress_login=");
    the_login_link_logs_in_once(&platform, &link).await;
    platform.has_clean_inventory().await;
}

async fn the_login_link_logs_in_once(platform: &Platform, link: &str) -> aipress_testkit::Admin {
    let mut nobody = platform.visitor("bakery");
    nobody.get("/wp-admin/").await.with_status(302);
    // A preview of the link by a chat program does not use it up.
    nobody.send("HEAD", link, &[], "").await.unwrap();
    let admin = aipress_testkit::Admin::sign_in(nobody, link).await;
    let mut second = platform.visitor("bakery");
    second.get(link).await.with_status(403);
    second.get("/wp-admin/").await.with_status(302);
    admin
}

async fn the_post_is_there(platform: &Platform, post: &str) {
    let mut visitor = platform.visitor("bakery");
    let home = visitor.get("/").await.with_status(200).text();
    assert!(home.contains("Rye bread") && home.contains(post), "the post on the home page");
    assert!(post.ends_with("/rye-bread/"), "a pretty permalink: {post}");
    let page = visitor.get(post).await.with_status(200);
    assert!(page.text().contains("About Rye bread."), "{}", page.text());
}

/// What a signed-in visitor gets is not what everybody gets.
async fn the_posts_page_knows_its_visitor(platform: &Platform, admin: &mut Browser) {
    assert!(admin.get("/").await.text().contains("wpadminbar"));
    assert!(!platform.visitor("bakery").get("/").await.text().contains("wpadminbar"));
}

async fn the_image_is_served_as_a_static_file(platform: &Platform, image: &str) {
    let mut visitor = platform.visitor("bakery");
    let whole = visitor.get(image).await.with_status(200);
    assert_eq!(whole.header("content-type"), "image/png");
    assert_eq!(whole.body, PNG, "byte for byte");
    assert!(whole.header("cache-control").contains("max-age"), "{:?}", whole.headers);
    let etag = whole.header("etag").to_owned();
    assert!(!etag.is_empty() && !whole.header("last-modified").is_empty(), "{:?}", whole.headers);

    let mut ask = async |name: &str, value: &str| -> Answer {
        visitor.send("GET", image, &[(name, value)], "").await.unwrap()
    };
    let same = ask("if-none-match", &etag).await.with_status(304);
    assert_eq!(same.body.len(), 0);
    let part = ask("range", "bytes=1-3").await.with_status(206);
    assert_eq!(part.body, "PNG");
    assert_eq!(part.header("content-range"), format!("bytes 1-3/{}", PNG.len()));
    ask("range", "bytes=9000-").await.with_status(416);
}
