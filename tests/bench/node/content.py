# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both WordPress installations hold: posts with terms and comments, and plugins that do what common plugins do. The same each time."""

from __future__ import annotations

import random
from collections.abc import Iterator

AUTHOR_ID = 1
#: Ids that WordPress's own first posts and terms are far below.
FIRST_POST, FIRST_TERM, FIRST_COMMENT = 1_000, 1_000, 1_000
CATEGORIES, TAGS = 12, 60
WORDS = [
    "time",
    "year",
    "people",
    "way",
    "day",
    "man",
    "thing",
    "woman",
    "life",
    "child",
    "world",
    "school",
    "state",
    "family",
    "student",
    "group",
    "country",
    "problem",
    "hand",
    "part",
    "place",
    "case",
    "week",
    "company",
    "system",
    "program",
    "question",
    "work",
    "government",
    "number",
    "night",
    "point",
    "home",
    "water",
    "room",
    "mother",
    "area",
    "money",
    "story",
    "fact",
]


def _sentence(rng: random.Random) -> str:
    words = [rng.choice(WORDS) for _word in range(rng.randint(8, 18))]
    return " ".join(words).capitalize() + "."


def _body(rng: random.Random) -> str:
    """Return some 350 words as blocks: paragraphs, a heading, a list."""
    blocks = []
    for number in range(6):
        text = " ".join(_sentence(rng) for _sentence_number in range(4))
        blocks.append(f"<!-- wp:paragraph --><p>{text}</p><!-- /wp:paragraph -->")
        if number == 2:
            blocks.append(
                f'<!-- wp:heading --><h2 class="wp-block-heading">{_sentence(rng)}</h2><!-- /wp:heading -->'
                f'<!-- wp:list --><ul class="wp-block-list"><!-- wp:list-item --><li>{_sentence(rng)}</li><!-- /wp:list-item --></ul><!-- /wp:list -->'
            )
    return "".join(blocks)


def _insert(table: str, columns: str, rows: list[str]) -> Iterator[str]:
    for start in range(0, len(rows), 200):
        yield f"INSERT IGNORE INTO wp_{table} ({columns}) VALUES {','.join(rows[start : start + 200])};\n"


def terms() -> Iterator[str]:
    """Yield the SQL of categories and tags."""
    kinds = [("category", number) for number in range(CATEGORIES)] + [("post_tag", number) for number in range(TAGS)]
    yield from _insert(
        "terms",
        "term_id,name,slug",
        [f"({FIRST_TERM + at},'{kind} {number}','{kind}-{number}')" for at, (kind, number) in enumerate(kinds)],
    )
    yield from _insert(
        "term_taxonomy",
        "term_taxonomy_id,term_id,taxonomy,description",
        [f"({FIRST_TERM + at},{FIRST_TERM + at},'{kind}','')" for at, (kind, _number) in enumerate(kinds)],
    )


def posts(first: int, last: int) -> Iterator[str]:
    """Yield the SQL of posts number ``first`` to ``last`` (not included) with their terms, a meta value and comments; one an hour, backwards."""
    found: list[str] = []
    related: list[str] = []
    meta: list[str] = []
    comments: list[str] = []
    for number in range(first, last):
        rng = random.Random(number)
        post = FIRST_POST + number
        date = f"DATE_SUB('2026-11-01 12:00:00', INTERVAL {number} HOUR)"
        said = 2 if number % 5 == 0 else 0
        found.append(
            f"({post},{AUTHOR_ID},{date},{date},'{_body(rng)}','Post {number}','','publish','open','closed','post-{number}',"
            f"{date},{date},'','','','http://site.molecule.internal/?p={post}','post',{said})"
        )
        mine = {FIRST_TERM + rng.randrange(CATEGORIES)}
        mine |= {FIRST_TERM + CATEGORIES + rng.randrange(TAGS) for _tag in range(3)}
        related += [f"({post},{term})" for term in sorted(mine)]
        meta.append(f"({post},'subtitle','{_sentence(rng)}')")
        comments += [
            f"({FIRST_COMMENT + number * 2 + one},{post},'Reader','reader@example.com',{date},{date},'{_sentence(rng)}','1','comment')"
            for one in range(said)
        ]
    yield from _insert(
        "posts",
        "ID,post_author,post_date,post_date_gmt,post_content,post_title,post_excerpt,post_status,comment_status,ping_status,post_name,"
        "post_modified,post_modified_gmt,to_ping,pinged,post_content_filtered,guid,post_type,comment_count",
        found,
    )
    yield from _insert("term_relationships", "object_id,term_taxonomy_id", related)
    yield from _insert("postmeta", "post_id,meta_key,meta_value", meta)
    yield from _insert(
        "comments",
        "comment_ID,comment_post_ID,comment_author,comment_author_email,comment_date,comment_date_gmt,comment_content,comment_approved,comment_type",
        comments,
    )


def finish() -> Iterator[str]:
    """Yield the SQL that WordPress's own bookkeeping needs after rows came in behind its back."""
    yield (
        "UPDATE wp_term_taxonomy t SET count = (SELECT COUNT(*) FROM wp_term_relationships r "
        "WHERE r.term_taxonomy_id = t.term_taxonomy_id);\n"
        "UPDATE wp_options SET option_value = '/%postname%/' WHERE option_name = 'permalink_structure';\n"
        "UPDATE wp_options SET option_value = '' WHERE option_name = 'rewrite_rules';\n"
        "DELETE FROM wp_options WHERE option_name LIKE '\\_transient\\_%' OR option_name LIKE '\\_site\\_transient\\_%';\n"
        "ANALYZE TABLE wp_posts, wp_postmeta, wp_options, wp_comments, wp_terms, wp_term_taxonomy, wp_term_relationships;\n"
    )


# -- plugins -----------------------------------------------------------------------------------------------------------

PLUGINS = 30
#: Class files of one plugin; a middling one of wordpress.org has some tens.
CLASSES = 12


def _class(plugin: str, number: int) -> str:
    """Return a class file as plugins have them: of 25 methods a page uses two."""
    methods = "".join(
        f"""
    /** Compute part {method} from what was given. */
    public function part_{method}( array $given, string $mode = 'plain' ): array {{
        $kept = array();
        foreach ( $given as $name => $value ) {{
            if ( 'plain' === $mode && is_string( $value ) ) {{
                $kept[ $name ] = sanitize_text_field( $value . '-{method}' );
            }} elseif ( is_array( $value ) ) {{
                $kept[ $name ] = array_map( 'strval', array_filter( $value ) );
            }}
        }}
        return apply_filters( '{plugin}_part_{number}_{method}', $kept, $mode );
    }}
"""
        for method in range(25)
    )
    return f"<?php\nnamespace Bench\\{plugin};\n\nclass Part{number} {{\n{methods}}}\n"


def _main(plugin: str, index: int) -> str:
    """Return a plugin's main file: it loads its classes, reads options, keeps a transient, filters the content and prints into the head."""
    requires = "".join(f"require_once __DIR__ . '/includes/class-part-{number}.php';\n" for number in range(CLASSES))
    return f"""<?php
/**
 * Plugin Name: Bench {plugin}
 * Description: Does what common plugins do on each page.
 * Version: 1.0.{index}
 */

{requires}
register_activation_hook(
    __FILE__,
    function () {{
        add_option( '{plugin}_settings', array_fill_keys( range( 0, 20 ), 'a setting of {plugin}' ) );
        add_option( '{plugin}_rules', array_fill_keys( range( 0, 40 ), array( 'match' => 'word', 'do' => 'mark' ) ) );
    }}
);
add_action(
    'init',
    function () {{
        $settings = get_option( '{plugin}_settings', array() );
        $GLOBALS['{plugin}'] = new Bench\\{plugin}\\Part{index % CLASSES}();
        $GLOBALS['{plugin}']->part_3( array_slice( $settings, 0, 5 ) );
        if ( false === get_transient( '{plugin}_remote' ) ) {{
            set_transient( '{plugin}_remote', array( 'found' => range( 0, 30 ) ), HOUR_IN_SECONDS );
        }}
        add_shortcode( '{plugin}', '__return_empty_string' );
    }}
);
add_action( 'wp_enqueue_scripts', fn() => wp_enqueue_style( '{plugin}', plugins_url( 'style.css', __FILE__ ), array(), '1.0.{index}' ) );
add_action( 'wp_head', fn() => print( '<meta name="{plugin}" content="' . esc_attr( count( get_option( '{plugin}_rules', array() ) ) ) . '">' ) );
add_filter( 'the_content', fn( $text ) => preg_replace( '/\\b(zzz{index})\\b/i', '<mark>$1</mark>', $text ) );
add_action( 'admin_menu', fn() => add_options_page( 'Bench {plugin}', 'Bench {plugin}', 'manage_options', '{plugin}', '__return_null' ) );
"""


def plugins() -> dict[str, str]:
    """Return the files of all plugins below ``wp-content/plugins``, by their path."""
    files = {}
    for index in range(PLUGINS):
        name = f"bench{index:02d}"
        files[f"{name}/{name}.php"] = _main(name, index)
        files[f"{name}/style.css"] = f".{name} {{ color: inherit; }}\n"
        for number in range(CLASSES):
            files[f"{name}/includes/class-part-{number}.php"] = _class(name, number)
    return files
