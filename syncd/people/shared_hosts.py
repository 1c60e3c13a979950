"""Hosts on which many publish: an address there says nothing of an employer. Lists, and the test against them."""

from __future__ import annotations

from functools import cache

from .text import ends, listed

# Whole hosts, with all below them. The key is the reason that people are told.
_SHARED = {
    # Profiles and pages of people and companies; one entry covers all countries' sub-domains.
    "a social network": """
        linkedin.com linkedin.cn lnkd.in facebook.com fb.com fb.me m.me messenger.com instagram.com instagr.am
        threads.com threads.net twitter.com x.com t.co youtube.com youtu.be tiktok.com snapchat.com pinterest.com
        pin.it reddit.com redd.it vk.com vk.ru ok.ru weibo.com weibo.cn wechat.com weixin.qq.com line.me
        whatsapp.com wa.me telegram.org telegram.me t.me discord.com discord.gg twitch.tv xing.com viadeo.com
        mastodon.social mastodon.online bsky.app bsky.social onlyfans.com read.cv polywork.com quora.com vimeo.com
        dailymotion.com soundcloud.com spotify.com flickr.com behance.net dribbble.com deviantart.com meetup.com
        nextdoor.com myspace.com researchgate.net academia.edu orcid.org bilibili.com zhihu.com kakao.com signal.me
    """,
    # One page that links to all others of a person, and booking pages.
    "a page of links": """
        linktr.ee linkin.bio lnk.bio beacons.ai bio.link bio.site campsite.bio campsite.to taplink.cc taplink.ws
        msha.ke about.me linkr.bio linkbio.co solo.to allmylinks.com hoo.be stan.store koji.to flow.page
        milkshake.app contactin.bio direct.me withkoji.com snipfeed.co popl.co hihello.me hihello.com blinq.me
        vcard.link carrd.co calendly.com cal.com tidycal.com savvycal.com youcanbook.me
    """,
    # The target is not in the address.
    "a shortener of links": """
        bit.ly tinyurl.com goo.gl ow.ly buff.ly t.ly is.gd rebrand.ly cutt.ly shorturl.at dub.sh rb.gy tiny.cc g.co
        forms.gle g.page urlz.fr qrco.de page.link hubs.ly lnk.to
    """,
    # Sites at paths or sub-domains of the builder, blogs, shops, courses, forms, newsletters.
    "a site builder or blog host": """
        sites.google.com business.site wordpress.com wp.com blogger.com medium.com substack.com tumblr.com
        livejournal.com typepad.com over-blog.com overblog.com canalblog.com skyrock.com skyblog.com e-monsite.com
        hautetfort.com eklablog.com hashnode.dev dev.to ghost.io notion.so weebly.com weeblysite.com jimdosite.com
        jimdofree.com mystrikingly.com godaddysites.com tilda.ws webs.com angelfire.com tripod.com geocities.com
        neocities.org 000webhostapp.com zyrosite.com hostingersite.com myportfolio.com journoportfolio.com
        clippings.me contently.com cargo.site bravesites.com ucraft.net ucraft.site site123.me simdif.com
        yolasite.com webflow.io wixsite.com canva.site my.canva.site framer.website gamma.site pagecloud.com
        bandcamp.com bigcartel.com ecwid.com company.site etsy.com depop.com redbubble.com patreon.com ko-fi.com
        buymeacoffee.com gumroad.com gofundme.com kickstarter.com indiegogo.com helloasso.com teachable.com
        thinkific.com mykajabi.com podia.com systeme.io hs-sites.com mailchi.mp sibpages.com clickfunnels.com
        unbouncepages.com pagedemo.co typeform.com jotform.com surveymonkey.com airtable.com
    """,
    # Documents and files that somebody put there.
    "a file share": """
        drive.google.com docs.google.com photos.google.com dropbox.com dropboxusercontent.com box.com onedrive.com
        1drv.ms sharepoint.com sway.office.com forms.office.com wetransfer.com we.tl mega.nz mega.io mediafire.com
        pcloud.com smash.com fromsmash.com issuu.com calameo.com slideshare.net scribd.com prezi.com canva.com
        loom.com
    """,
    # Code and models of everybody.
    "a code host": """
        github.com github.io gitlab.com bitbucket.org codeberg.org sourceforge.net gitee.com codepen.io
        codesandbox.io replit.com glitch.me kaggle.com huggingface.co npmjs.com pypi.org stackoverflow.com
        stackexchange.com
    """,
    # Entries about companies, written by anybody; jobs, marketplaces of freelancers, app shops.
    "a directory": """
        wikipedia.org wikidata.org crunchbase.com wellfound.com angel.co f6s.com producthunt.com trustpilot.com
        g2.com capterra.com yellowpages.com pagesjaunes.fr gelbeseiten.de paginegialle.it paginasamarillas.es
        goudengids.nl societe.com pappers.fr northdata.de northdata.com kununu.com welcometothejungle.com
        foursquare.com doctolib.fr doctolib.de malt.fr malt.com upwork.com fiverr.com freelancer.com toptal.com
        comeup.com imdb.com apps.apple.com itunes.apple.com play.google.com maps.google.com business.google.com
        plus.google.com groups.google.com calendar.google.com meet.google.com archive.org
    """,
    # Machines that clouds rent out, and tenants of mail and sign-in systems.
    "a host of many tenants": """
        onmicrosoft.com amazonaws.com googleusercontent.com force.com atlassian.net translate.goog
    """,
}

# Names that stand under the suffixes of many countries (pinterest.fr, blogspot.de).
_NAMES = {
    "blogspot": "a site builder or blog host", "webnode": "a site builder or blog host",
    "jimdo": "a site builder or blog host",
    "webador": "a site builder or blog host", "pinterest": "a social network", "yelp": "a directory",
    "tripadvisor": "a directory", "glassdoor": "a directory", "indeed": "a directory", "eventbrite": "a directory",
    "craigslist": "a directory",
    "ebay": "a directory", "leboncoin": "a directory", "opencorporates": "a directory",
}  # fmt: skip

# Companies with staff and mail at the name itself, and their customers' sites below it.
_BELOW = listed("""
squarespace.com wix.com webflow.com strikingly.com shopify.com zendesk.com freshdesk.com
slack.com teamtailor.com odoo.com recruitee.com personio.de personio.com workable.com greenhouse.io lever.co breezy.hr
bamboohr.com workday.com myworkdayjobs.com zoom.us webex.com
""")
_OWN = listed("""
www mail email corp
""")  # below such a name: still the company itself


def why_shared(host: str, registrable: str) -> str | None:
    """What kind of shared host it is ("a social network"), or None. Expects lower-case ASCII."""
    table = _table()
    found = next((table[end] for end in ends(host)[:-1] if end in table), None)
    found = found or _NAMES.get(registrable.partition(".")[0])
    if found is None and registrable in _BELOW:
        own = host.split(".")[: -len(registrable.split("."))]
        return None if _OWN.issuperset(own) else "another company's platform"
    return found


@cache
def _table() -> dict[str, str]:
    return {host: reason for reason, hosts in _SHARED.items() for host in hosts.split()}
